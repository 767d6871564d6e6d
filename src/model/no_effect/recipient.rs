//! Members of a recipient that have no effect because their names are nearly those of other members.

use crate::error::shown;
use crate::json::Object;
use crate::model::provider::{Borrowed, PROFILE_KEYS, Provider};
use crate::model::send_to;

/// Members of a bulk user. The last three are what `GET /bulk/{job_id}/users` adds: they may be sent back.
const USER: [&str; 11] = [
    "recipient",
    "user_id",
    "email",
    "phone_number",
    "profile",
    "data",
    "preferences",
    "to",
    "status",
    "messageId",
    "error",
];

/// Where a recipient's members stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In `to`, where unknown members are a part of the profile.
    To,
    /// In a profile.
    Profile,
}

/// What people write instead of a member of `to`. If the meant member is there, too, the name is no typo.
const MEANT_IN_TO: &[(&[&str], &str)] = &[
    (&["userId", "userID", "user", "id", "recipient", "recipientId", "recipient_id"], "user_id"),
    (&["listId", "list"], "list_id"),
    (&["listPattern", "pattern"], "list_pattern"),
    (&["tenantId"], "tenant_id"),
];
const MEANT_IN_PROFILE: &[(&[&str], &str)] =
    &[(&["emailAddress", "email_address", "mail"], "email"), (&["phone", "phoneNumber", "mobile"], "phone_number")];

/// Members that a text may show, but that are probably typos; `at` is where they stand.
pub fn slips(members: &[(String, String)], place: Place, at: &str) -> Vec<String> {
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let meant = |name: &str| {
        let in_to = MEANT_IN_TO.iter().filter(|_| place == Place::To);
        let found = in_to.chain(MEANT_IN_PROFILE).find(|(slips, _)| slips.contains(&name));
        found.map(|(_, meant)| *meant).filter(|meant| !names.contains(meant))
    };
    // Their keys are nearly the same.
    let is_addressed = |provider: Provider| provider.row().profile_keys.iter().any(|key| names.contains(key));
    let mut told = Vec::new();
    for (name, (_, value)) in names.iter().zip(members) {
        let is_key = || PROFILE_KEYS.iter().any(|(key, _)| key == name);
        if let Some(meant) = meant(name) {
            told.push(format!("{at}.{} addresses nobody; '{meant}' is meant", shown(name)));
        } else if place == Place::To && *name == "profile" {
            told.push(format!("{at}.profile addresses nobody; its members belong into '{at}' itself"));
        } else if let Some(provider) = Provider::named(name).filter(|it| !is_key() && !is_addressed(*it)) {
            let row = provider.row();
            let by = match row.borrows {
                // Anything may have this name.
                Some(Borrowed::Nothing) if place == Place::Profile || provider == Provider::Custom => continue,
                Some(Borrowed::Nothing) if row.profile_keys.is_empty() => {
                    "needs no address; name it in 'routing'".to_owned()
                }
                _ => format!("has its address in {}", row.reached_by()),
            };
            told.push(format!("{at}.{name} addresses nobody: {} {by}", provider.name()));
        } else if let Some((_, provider)) = PROFILE_KEYS.iter().find(|(key, _)| key == name) {
            told.extend(without_address(*provider, value, &format!("{at}.{name}")));
        } else if let Some(meant) = nearest(name, place).filter(|meant| !names.contains(meant)) {
            told.push(format!("{at}.{} addresses nobody; '{meant}' is meant", shown(name)));
        }
    }
    told
}

/// For a job's user: members of `to` that name more than one recipient, or none.
fn of_nobody(members: &[(String, String)], has_other: bool) -> Vec<String> {
    const MANY: [&str; 3] = ["list_id", "list_pattern", "audience_id"];
    let is_key = |name: &str| PROFILE_KEYS.iter().any(|(key, _)| *key == name) || Provider::named(name).is_some();
    let is_one = |name: &str| name == "user_id" || IN_ALL.contains(&name) || is_key(name);
    let is_somebody = has_other || members.iter().any(|(name, _)| is_one(name));
    let tell = |(name, _): &(String, String)| match MANY.contains(&name.as_str()) {
        true => Some(format!("to.{name} has no effect: a user of a job is one recipient")),
        false if is_somebody || IN_TO.contains(&name.as_str()) => None,
        false => Some(format!("to.{} addresses nobody: it is no address that is known", shown(name))),
    };
    members.iter().filter_map(tell).collect()
}

/// The note about an address that is not valid. A provider that needs none accepts anything.
fn without_address(provider: Provider, value: &str, at: &str) -> Option<String> {
    let refused = match provider.row().borrows {
        None => send_to::address(provider, value, at).err()?.public_message(),
        Some(_) => return None,
    };
    let why = refused.strip_prefix(at).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&refused);
    Some(format!("{at} has no effect: {why}"))
}

/// Members of `to` that are not keys of providers.
const IN_TO: [&str; 11] = [
    "user_id",
    "list_id",
    "list_pattern",
    "audience_id",
    "tenant_id",
    "account_id",
    "data",
    "locale",
    "preferences",
    "context",
    "filters",
];
const IN_ALL: [&str; 2] = ["email", "phone_number"];

/// The address that a name is a typo of. The first character must be right, which keeps this quick.
fn nearest(name: &str, place: Place) -> Option<&'static str> {
    let own = if place == Place::To { IN_TO.as_slice() } else { &[] };
    let known = || own.iter().chain(&IN_ALL).copied().chain(PROFILE_KEYS.iter().map(|(key, _)| *key));
    if known().any(|key| key == name) {
        return None;
    }
    let is_near = |key: &&str| {
        key.len() >= 4
            && key.len().abs_diff(name.len()) <= 1
            && key.as_bytes().first() == name.as_bytes().first()
            && strsim::damerau_levenshtein(key, name) == 1
    };
    let is_cased = |key: &&str| key.eq_ignore_ascii_case(name);
    known().filter(|key| !IN_TO.contains(key) || *key == "user_id").find(|key| is_near(key) || is_cased(key))
}

/// What people write in a bulk user, and what they mean.
const MEANT: &[(&[&str], &str)] = &[
    (&["recipientId", "recipient_id", "userId", "userID", "user", "id"], "recipient"),
    (&["emailAddress", "email_address", "mail"], "profile.email"),
    (&["phone", "phoneNumber", "mobile"], "profile.phone_number"),
    (&["locale", "tenant_id", "context"], "to"),
];

/// The members without effect in a bulk user, in words for the log: names and notes; `at` is the user's path.
pub fn of_user(user: &str, at: impl Fn() -> String) -> Vec<(String, String)> {
    let (mut unknown, mut has_name) = (Vec::new(), false);
    let (mut told, mut in_to, mut has_other) = (Vec::new(), Vec::new(), false);
    let looked = Object::of(user).for_each(|name, value| {
        has_other |= matches!(name, "recipient" | "user_id" | "profile") && value != "null";
        has_name |= matches!(name, "recipient" | "user_id" | "to");
        let place = match name {
            "to" => Place::To,
            "profile" => Place::Profile,
            name => {
                if !USER.contains(&name) && value != "null" {
                    unknown.push(name.to_owned());
                }
                return;
            }
        };
        let mut members = Vec::new();
        let looked = Object::of(value).for_each(|name, value| {
            if value != "null" {
                members.push((name.to_owned(), value.to_owned()));
            }
        });
        if looked.is_ok() {
            let slips = slips(&members, place, name);
            told.extend(slips.into_iter().map(|slip| (slip.clone(), format!("{}.{slip}", at()))));
        }
        if place == Place::To {
            in_to = members;
        }
    });
    if looked.is_err() {
        return told;
    }
    for slip in of_nobody(&in_to, has_other) {
        if !told.iter().any(|(it, _)| it.split(' ').next() == slip.split(' ').next()) {
            told.push((slip.clone(), format!("{}.{slip}", at())));
        }
    }
    for name in unknown {
        let meant = MEANT.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, meant)| *meant);
        let is_address = PROFILE_KEYS.iter().any(|(key, _)| *key == name);
        let hint = match meant.or(is_address.then_some("to")) {
            Some("recipient") if !has_name => {
                "; 'recipient' names the user. Without it a recipient is made up, and no duplicate is found".to_owned()
            }
            Some("to") => format!("; 'to.{name}' is meant"),
            Some(meant) => format!("; '{meant}' is meant"),
            None => String::new(),
        };
        let text = format!("{}.{} has no effect{hint}", at(), shown(&name));
        told.push((name, text));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::of_user;

    #[test]
    fn a_user_of_a_job_who_is_nobody_is_told() {
        for (user, expected) in [
            (r#"{"to":{"list_id":"l"}}"#, "users[0].to.list_id has no effect: a user of a job is one recipient"),
            (r#"{"to":{"users":["a"]}}"#, "users[0].to.users addresses nobody: it is no address that is known"),
            (r#"{"profile":{"Email":"a@b.c"}}"#, "users[0].profile.Email addresses nobody; 'email' is meant"),
        ] {
            let told = of_user(user, || "users[0]".to_owned());
            let told: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(told, [expected], "{user}");
        }
        for user in
            [r#"{"to":{"email":"a@b.c","n":1}}"#, r#"{"recipient":"a","to":{"n":1}}"#, r#"{"to":{"user_id":"a"}}"#]
        {
            assert!(of_user(user, || "users[0]".to_owned()).is_empty(), "{user}");
        }
    }
}
