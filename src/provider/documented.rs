//! The members that providers document for a request, with their types. Other members of an override go to the provider
//! as they are, and have no effect there.
//!
//! Teams, OneSignal, Airship, SNS and the generic form have no table: their lists are too long or too open to be sure
//! of. An open part (`...`) in a table has the same reason.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::json::kind;
use crate::json::shape::{Misfit, Shape};
use crate::model::provider::{Provider, RequestForm};

/// The members of an override's `body`.
const SENDGRID: &str = "{personalizations?: [{from?: {email: string, name?: string}, to?: [{email: string, name?: string}], \
    cc?: [{email: string, name?: string}], bcc?: [{email: string, name?: string}], subject?: string, headers?: {...}, \
    substitutions?: {...}, dynamic_template_data?: {...}, custom_args?: {...}, send_at?: integer}], from?: {email: string, \
    name?: string}, reply_to?: {email: string, name?: string}, reply_to_list?: [{email: string, name?: string}], subject?: \
    string, content?: [{type: string, value: string}], attachments?: [{content, type?: string, filename: string, \
    disposition?: 'inline' | 'attachment', content_id?: string}], template_id?: string, sections?: {...}, headers?: {...}, \
    categories?: [string], custom_args?: {...}, send_at?: integer, batch_id?: string, asm?: {group_id: integer, \
    groups_to_display?: [integer]}, ip_pool_name?: string, mail_settings?: {bypass_list_management?: {enable?: boolean}, \
    bypass_spam_management?: {enable?: boolean}, bypass_bounce_management?: {enable?: boolean}, \
    bypass_unsubscribe_management?: {enable?: boolean}, footer?: {enable?: boolean, text?: string, html?: string}, \
    sandbox_mode?: {enable?: boolean}, bcc?: {...}, spam_check?: {...}}, tracking_settings?: {click_tracking?: {enable?: \
    boolean, enable_text?: boolean}, open_tracking?: {enable?: boolean, substitution_tag?: string}, \
    subscription_tracking?: {enable?: boolean, text?: string, html?: string, substitution_tag?: string}, ganalytics?: \
    {enable?: boolean, utm_source?: string, utm_medium?: string, utm_term?: string, utm_content?: string, utm_campaign?: \
    string}}}";
const POSTMARK: &str = "{From?: string, To?: string, Cc?: string, Bcc?: string, Subject?: string, Tag?: string, HtmlBody?: \
    string, TextBody?: string, ReplyTo?: string, Headers?: [{Name: string, Value: string}], TrackOpens?: boolean, \
    TrackLinks?: 'None' | 'HtmlAndText' | 'HtmlOnly' | 'TextOnly', Metadata?: {...}, Attachments?: [{Name: string, Content: \
    string, ContentType: string, ContentID?: string}], MessageStream?: string, InlineCss?: boolean, TemplateId?: integer, \
    TemplateAlias?: string, TemplateModel?: {...}}";
/// Besides those with a prefix.
const MAILGUN: &str = "{from?, to?, cc?, bcc?, subject?, text?, html?, amp-html?, attachment?, inline?, template?, \
    recipient-variables?}";
const MAILGUN_PREFIXES: [&str; 4] = ["h:", "o:", "t:", "v:"];
/// For one message, or around all of them.
const MAILJET: &str = "{From?: {Email: string, Name?: string}, Sender?, To?: [{Email: string, Name?: string}], Cc?: [{Email: \
    string, Name?: string}], Bcc?: [{Email: string, Name?: string}], ReplyTo?: {Email: string, Name?: string}, Subject?: \
    string, TextPart?: string, HTMLPart?: string, TemplateID?: integer, TemplateLanguage?: boolean, TemplateErrorReporting?, \
    TemplateErrorDeliver?: boolean, Attachments?: [{Filename: string, ContentType: string, Base64Content: string}], \
    InlinedAttachments?: [{Filename: string, ContentType: string, Base64Content: string, ContentID: string}], Priority?, \
    CustomCampaign?, DeduplicateCampaign?, TrackOpens?, TrackClicks?, CustomID?: string, EventPayload?: string, URLTags?, \
    MonitoringCategory?, Headers?: {...}, Variables?: {...}, Messages?: [...], Globals?: {...}, SandboxMode?: boolean, \
    AdvanceErrorHandling?: boolean}";
const MANDRILL: &str = "{key?: string, message?: {html?: string, text?: string, subject?: string, from_email?: string, \
    from_name?: string, to?: [{email: string, name?: string, type?: 'to' | 'cc' | 'bcc'}], headers?: {...}, important?: \
    boolean, track_opens?: boolean, track_clicks?: boolean, auto_text?: boolean, auto_html?: boolean, inline_css?: boolean, \
    url_strip_qs?: boolean, preserve_recipients?: boolean, view_content_link?: boolean, bcc_address?: string, \
    tracking_domain?: string, signing_domain?: string, return_path_domain?: string, merge?: boolean, merge_language?: \
    'mailchimp' | 'handlebars', global_merge_vars?: [{name: string, content}], merge_vars?: [{rcpt: string, vars}], tags?: \
    [string], subaccount?: string, google_analytics_domains?: [string], google_analytics_campaign?, metadata?: {...}, \
    recipient_metadata?: [{rcpt: string, values}], attachments?: [{type: string, name: string, content: string}], images?: \
    [{type: string, name: string, content: string}]}, async?: boolean, ip_pool?: string, send_at?: string, template_name?: \
    string, template_content?: [{name: string, content: string}]}";
const RESEND: &str = "{from?: string, to?: string | [string], cc?: string | [string], bcc?: string | [string], reply_to?: \
    string | [string], subject?: string, html?: string, text?: string, scheduled_at?: string, headers?: {...}, topic_id?: \
    string, attachments?: [{content?, filename?: string, path?: string, content_type?: string, content_id?: string}], \
    tags?: [{name: string, value: string}], template?: {id: string, variables?: {...}}}";
const SPARKPOST: &str = "{options?: {...}, recipients?, campaign_id?: string, description?: string, metadata?: {...}, \
    substitution_data?: {...}, return_path?: string, content?: {html?: string, text?: string, amp_html?: string, subject?: \
    string, from?: string | {...}, reply_to?: string, headers?: {...}, attachments?: [{name: string, type: string, data: \
    string}], inline_images?: [{name: string, type: string, data: string}], template_id?: string, use_draft_template?: \
    boolean, email_rfc822?: string, ab_test_id?: string, ...}, name?}";
/// `RawMessage` is version 1's.
const SES: &str = "{FromEmailAddress?: string, FromEmailAddressIdentityArn?: string, Destination?: {ToAddresses?: [string], \
    CcAddresses?: [string], BccAddresses?: [string]}, ReplyToAddresses?: [string], FeedbackForwardingEmailAddress?: string, \
    FeedbackForwardingEmailAddressIdentityArn?: string, Content?: {Simple?: {Subject?, Body?, Headers?, Attachments?}, Raw?: \
    {Data}, Template?: {...}}, EmailTags?: [{Name: string, Value: string}], ConfigurationSetName?: string, EndpointId?: \
    string, TenantName?: string, ListManagementOptions?: {ContactListName: string, TopicName?: string}, RawMessage?: \
    {Data}}";
/// As its libraries write them. In its form they begin with a capital.
const TWILIO: &str = "{to?: string, from?: string, messagingServiceSid?: string, body?: string, mediaUrl?, contentSid?: \
    string, contentVariables?, statusCallback?: string, applicationSid?: string, maxPrice?, provideFeedback?, attempt?, \
    validityPeriod?, forceDelivery?, contentRetention?, addressRetention?, smartEncoded?, persistentAction?, trafficType?, \
    shortenUrls?, scheduleType?, sendAt?, sendAsMms?, riskCheck?, tags?, messageIntent?, fallbackFrom?}";
const MESSAGEBIRD: &str = "{originator?: string, body?: string, recipients?, groupIds?, type?: 'sms' | 'binary' | 'premium' | \
    'flash', reference?: string, reportUrl?: string, validity?: integer, gateway?: integer, typeDetails?: {...}, \
    datacoding?: 'plain' | 'unicode' | 'auto', mclass?: integer, shortenUrls?: boolean, scheduledDatetime?: string, \
    createdDatetime?: string}";
const PLIVO: &str = "{src?, dst?: string, text?: string, type?: 'sms' | 'mms' | 'whatsapp', url?: string, method?: 'GET' | \
    'POST', log?, trackable?, powerpack_uuid?: string, media_urls?: [string], media_ids?: [string], message_expiry?, \
    dlt_entity_id?, dlt_template_id?, dlt_template_category?, template?, interactive?, location?}";
const TELNYX: &str = "{from?: string, messaging_profile_id?: string, to?: string, text?: string, subject?: string, media_urls?: \
    [string], webhook_url?: string, webhook_failover_url?: string, use_profile_webhooks?: boolean, type?: 'SMS' | 'MMS', \
    auto_detect?: boolean, send_at?: string, encoding?: string}";
const VONAGE: &str = "{api_key?, api_secret?, sig?, from?: string, to?, text?: string, ttl?: integer | string, status-report-req?, \
    callback?: string, message-class?, type?: 'text' | 'binary' | 'unicode' | 'wappush' | 'vcal' | 'vcard', body?, udh?, \
    protocol-id?, client-ref?, account-ref?, entity-id?, content-id?, title?, url?, validity?, vcard?, vcal?, \
    trusted-number?}";
/// In the words of its HTTP interface. The names in its libraries are the same without underscores.
const FCM: &str = "{name?: string, token?: string, topic?: string, condition?: string, data?: {...}, notification?: {title?: \
    string, body?: string, image?: string, image_url?: string}, android?: {collapse_key?: string, priority?: 'normal' | \
    'high' | 'NORMAL' | 'HIGH' | 'Normal' | 'High', ttl?, restricted_package_name?: string, data?: {...}, notification?: {...}, fcm_options?: \
    {analytics_label?: string}, direct_boot_ok?: boolean, bandwidth_constrained_ok?: boolean, restricted_satellite_ok?: \
    boolean, ...}, webpush?: {headers?: {...}, data?: {...}, notification?: {...}, fcm_options?: {link?: string, \
    analytics_label?: string}}, apns?: {headers?: {...}, payload?: {...}, fcm_options?: {analytics_label?: string, image?: \
    string, image_url?: string}, live_activity_token?: string}, fcm_options?: {analytics_label?: string}}";
/// The rest of a body is the app's own.
const APNS: &str = "{aps?: {...}, alert?: string | {...}, badge?: integer | string, sound?: string | {critical?, name?: string, \
    volume?: number}, category?: string, content-available?: integer | boolean | string, contentAvailable?: integer | \
    boolean | string, mutable-content?: integer | boolean | string, mutableContent?: integer | boolean | string, \
    interruption-level?: 'passive' | 'active' | 'time-sensitive' | 'critical', interruptionLevel?: 'passive' | 'active' | \
    'time-sensitive' | 'critical', relevance-score?: number, relevanceScore?: number, thread-id?: string, threadId?: \
    string, target-content-id?: string, targetContentIdentifier?: string, title?: string, subtitle?: string, body?: string, \
    topic?: string, collapseId?: string, apns-collapse-id?: string, id?: string, ...}";
const EXPO: &str = "{to?: string | [string], title?: string, subtitle?: string, body?: string, data?: {...}, ttl?: integer, \
    expiration?: integer, priority?: 'default' | 'normal' | 'high', sound?: string | {critical?: boolean, name?: string, \
    volume?: number}, badge?: integer, channelId?: string, categoryId?: string, mutableContent?: boolean, \
    _contentAvailable?: boolean, interruptionLevel?: 'active' | 'critical' | 'passive' | 'time-sensitive', richContent?: \
    {image?: string}, icon?: string, tag?: string, collapseId?: string, accessToken?, _category?, _displayInForeground?}";
const SLACK: &str = "{channel?: string, text?: string, blocks?, attachments?, as_user?, icon_emoji?: string, icon_url?: string, \
    link_names?, metadata?, mrkdwn?, parse?: string, reply_broadcast?, thread_ts?: string | number, unfurl_links?, \
    unfurl_media?, username?: string, markdown_text?: string, token?, agent?, user?, post_at?, response_type?: 'in_channel' | \
    'ephemeral', replace_original?, delete_original?}";
/// `embed` is an older version's.
const DISCORD: &str = "{content?: string, nonce?: string | integer, tts?: boolean, embeds?: [{title?: string, type?: string, \
    description?: string, url?: string, timestamp?: string, color?: integer, footer?: {text: string, icon_url?: string, \
    proxy_icon_url?: string}, image?: {...}, thumbnail?: {...}, video?: {...}, provider?: {...}, author?: {name: string, \
    url?: string, icon_url?: string, proxy_icon_url?: string}, fields?: [{name: string, value: string, inline?: boolean}], \
    flags?: integer}], embed?: {...}, allowed_mentions?: {parse?: [string], roles?: [string], users?: [string], \
    replied_user?: boolean}, message_reference?: {...}, components?: [...], sticker_ids?: [...], payload_json?: string, \
    attachments?: [...], flags?: integer, enforce_nonce?: boolean, poll?: {...}, files?, shared_client_theme?}";
/// The Events API v2.
const PAGERDUTY: &str = "{routing_key?: string, event_action?: 'trigger' | 'acknowledge' | 'resolve', dedup_key?: string, \
    payload?: {summary?: string, source?: string, severity?: 'critical' | 'error' | 'warning' | 'info', timestamp?: string, \
    component?: string, group?: string, class?: string, custom_details?}, images?: [{src: string, href?: string, alt?: \
    string}], links?: [{href: string, text?: string}], client?: string, client_url?: string}";
/// The members beside an override's `body`.
const EXPO_BESIDE: &str = "{ttl?: integer, expiration?: integer, priority?: 'default' | 'normal' | 'high', sound?: string | \
    {critical?: boolean, name?: string, volume?: number}, badge?: integer, channelId?: string, categoryId?: string, \
    mutableContent?: boolean, _contentAvailable?: boolean, interruptionLevel?: 'active' | 'critical' | 'passive' | \
    'time-sensitive', richContent?: {image?: string}, subtitle?: string, to?: string | [string], ...}";

const TABLES: [(RequestForm, &str); 19] = [
    (RequestForm::Sendgrid, SENDGRID),
    (RequestForm::Postmark, POSTMARK),
    (RequestForm::Mailgun, MAILGUN),
    (RequestForm::Mailjet, MAILJET),
    (RequestForm::Mandrill, MANDRILL),
    (RequestForm::Resend, RESEND),
    (RequestForm::Sparkpost, SPARKPOST),
    (RequestForm::Ses, SES),
    (RequestForm::Twilio, TWILIO),
    (RequestForm::Messagebird, MESSAGEBIRD),
    (RequestForm::Plivo, PLIVO),
    (RequestForm::Telnyx, TELNYX),
    (RequestForm::Vonage, VONAGE),
    (RequestForm::Fcm, FCM),
    (RequestForm::Apns, APNS),
    (RequestForm::Expo, EXPO),
    (RequestForm::Slack, SLACK),
    (RequestForm::Discord, DISCORD),
    (RequestForm::PagerDuty, PAGERDUTY),
];

/// The tables as shapes. Every message to some of the providers is checked against one.
static SHAPES: LazyLock<Vec<(RequestForm, Shape<'static>)>> =
    LazyLock::new(|| TABLES.iter().filter_map(|(form, table)| Some((*form, Shape::read(table)?))).collect());
static EXPO_BESIDE_SHAPE: LazyLock<Option<Shape<'static>>> = LazyLock::new(|| Shape::read(EXPO_BESIDE));

/// The pointers at which members of a body differ from the table, as they were sent; `at` precedes them.
fn misfits(form: RequestForm, members: &Map<String, Value>, at: &str) -> Vec<(String, Misfit)> {
    let mut found = Vec::new();
    if let Some((_, shape)) = SHAPES.iter().find(|(it, _)| *it == form) {
        let (known, spelled) = known_names(form, members);
        shape.misfits(&known, &mut at.to_owned(), &mut |pointer, what| {
            found.push((as_spelled(&spelled, pointer), what));
        });
    }
    found
}

/// The parts of an override that the provider does not document, by their pointers, and why they have no effect.
pub fn slips(provider: Provider, over: &Value) -> Vec<(String, String)> {
    let form = provider.row().form;
    let mut found = Vec::new();
    if let Some(Value::Object(body)) = over.get("body") {
        let nested = body.get("message").and_then(Value::as_object).filter(|_| form == RequestForm::Fcm);
        let at = if nested.is_some() { "/body/message" } else { "/body" };
        found = misfits(form, nested.unwrap_or(body), at);
    }
    match form {
        RequestForm::Expo => {
            if let Some(shape) = &*EXPO_BESIDE_SHAPE {
                shape.misfits(over, &mut String::new(), &mut |pointer, what| found.push((pointer.to_owned(), what)));
            }
        }
        RequestForm::Fcm => {
            let members = ["android", "apns", "fcm_options", "notification", "webpush"];
            let beside = over.as_object().into_iter().flatten().filter(|(name, _)| members.contains(&name.as_str()));
            let beside: Map<String, Value> = beside.map(|(name, value)| (name.clone(), value.clone())).collect();
            found.extend(misfits(form, &beside, ""));
        }
        _ => {}
    }
    let why = |(pointer, what): (String, Misfit)| {
        let value = over.pointer(&pointer).map_or_else(String::new, Value::to_string);
        let why = match what {
            Misfit::Unknown => format!("has no effect: {} documents no such member", provider.name()),
            Misfit::Expected(words) => {
                let found = if value.starts_with('"') { value } else { kind(&value).to_owned() };
                format!("is not what {} documents: expected {words}, found {found}", provider.name())
            }
        };
        (pointer, why)
    };
    found.into_iter().map(why).collect()
}

/// The members under the table's names, and their pointers that were spelled differently.
fn known_names(form: RequestForm, body: &Map<String, Value>) -> (Value, Vec<(String, String)>) {
    let mut spelled = Vec::new();
    let all = match form {
        RequestForm::Mailgun => {
            let has_prefix = |name: &str| MAILGUN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            let named = body.iter().filter(|(name, _)| !has_prefix(name));
            Value::Object(named.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        RequestForm::Twilio => renamed(body, "", 1, &lower_first, &mut spelled),
        RequestForm::Fcm => renamed(body, "", 3, &with_underscores, &mut spelled),
        _ => Value::Object(body.clone()),
    };
    (all, spelled)
}

/// An object with its members renamed, to this depth.
fn renamed(
    object: &Map<String, Value>,
    at: &str,
    depth: usize,
    name_of: &dyn Fn(&str) -> String,
    spelled: &mut Vec<(String, String)>,
) -> Value {
    let mut all = Map::new();
    for (name, value) in object {
        let known = name_of(name);
        let (sent, pointer) = (format!("{at}/{name}"), format!("{at}/{known}"));
        let value = match value {
            Value::Object(members) if depth > 1 && known != "data" => {
                renamed(members, &pointer, depth - 1, name_of, spelled)
            }
            value => value.clone(),
        };
        if known != *name {
            spelled.push((pointer, sent));
        }
        all.insert(known, value);
    }
    Value::Object(all)
}

/// The pointer as it was sent. Outer members are renamed first.
fn as_spelled(spelled: &[(String, String)], pointer: &str) -> String {
    let mut shown = pointer.to_owned();
    for (known, sent) in spelled {
        if let Some(at) = shown.find(known.as_str())
            && shown[at + known.len()..].chars().next().is_none_or(|next| next == '/')
        {
            shown.replace_range(at..at + known.len(), sent);
        }
    }
    shown
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn with_underscores(name: &str) -> String {
    let mut written = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            written.push('_');
        }
        written.push(c.to_ascii_lowercase());
    }
    written
}

/// FCM's answer to an unknown member, or to one of another type.
pub fn fcm_refusal(message: &Value) -> Option<String> {
    let (pointer, what) = misfits(RequestForm::Fcm, message.as_object()?, "").into_iter().next()?;
    let (outer, name) = pointer.rsplit_once('/').unwrap_or_default();
    Some(match what {
        Misfit::Unknown => format!(
            "INVALID_ARGUMENT: Invalid JSON payload received. Unknown name \"{name}\" at 'message{}': Cannot find field.",
            outer.replace('/', ".")
        ),
        Misfit::Expected(_) => format!(
            "INVALID_ARGUMENT: Invalid value at 'message{}', {}",
            pointer.replace('/', "."),
            message.pointer(&pointer).unwrap_or(&Value::Null)
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_table_can_be_read() {
        for (form, table) in TABLES {
            assert!(Shape::read(table).is_some(), "{form:?}");
        }
        assert!(Shape::read(EXPO_BESIDE).is_some());
    }

    #[test]
    fn what_is_not_documented_is_told_as_it_was_spelled() {
        let pointers = |provider, over: Value| {
            slips(provider, &over).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>().join(" ")
        };
        for (provider, over, expected) in [
            (
                Provider::Twilio,
                json!({ "body": { "StatusCallback": "x", "statusCalback": "x" } }),
                "/body/statusCalback",
            ),
            (Provider::Mailgun, json!({ "body": { "o:tag": "x", "h:X": "y", "o_tag": "x" } }), "/body/o_tag"),
            (
                Provider::FirebaseFcm,
                json!({ "body": { "fcmOptions": { "analyticsLable": "x" }, "android": { "collapseKey": "k" } } }),
                "/body/fcmOptions/analyticsLable",
            ),
            (
                Provider::FirebaseFcm,
                json!({ "body": { "message": { "notifikation": {} } } }),
                "/body/message/notifikation",
            ),
            (Provider::FirebaseFcm, json!({ "apns": { "payload": { "aps": {} }, "payloads": {} } }), "/apns/payloads"),
            (Provider::Expo, json!({ "ttl": "long", "config": {}, "body": { "ttl": 1, "tll": 1 } }), "/body/tll /ttl"),
            (Provider::MsTeams, json!({ "body": { "anything": 1 } }), ""),
        ] {
            assert_eq!(pointers(provider, over.clone()), expected, "{over}");
        }
    }
}
