//! What a recipient is called and nothing comes of: names that are nearly those of the members that are meant.

use crate::error::shown;
use crate::json::Object;
use crate::model::provider::{Borrowed, PROFILE_KEYS, Provider};

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
    /// In `to`, where what is no member of its own is a part of the profile.
    To,
    /// In a profile.
    Profile,
}

/// What people write in place of a member of `to`, and the members of which none is there then.
const MEANT_IN_TO: &[(&[&str], &str)] = &[
    (&["userId", "userID", "user", "id", "recipient", "recipientId", "recipient_id"], "user_id"),
    (&["listId", "list"], "list_id"),
    (&["listPattern", "pattern"], "list_pattern"),
    (&["tenantId"], "tenant_id"),
];
const MEANT_IN_PROFILE: &[(&[&str], &str)] =
    &[(&["emailAddress", "email_address", "mail"], "email"), (&["phone", "phoneNumber", "mobile"], "phone_number")];

/// Members that a text may show, and that are probably meant for something else; `at` is where they stand.
pub fn slips(names: &[&str], place: Place, at: &str) -> Vec<String> {
    let meant = |name: &str| {
        let in_to = MEANT_IN_TO.iter().filter(|_| place == Place::To);
        let found = in_to.chain(MEANT_IN_PROFILE).find(|(slips, _)| slips.contains(&name));
        found.map(|(_, meant)| *meant).filter(|meant| !names.contains(meant))
    };
    // Their keys are nearly the same.
    let is_addressed = |provider: Provider| provider.row().profile_keys.iter().any(|key| names.contains(key));
    let mut told = Vec::new();
    for name in names {
        let is_key = || PROFILE_KEYS.iter().any(|(key, _)| key == name);
        if let Some(meant) = meant(name) {
            told.push(format!("{at}.{} addresses nobody; '{meant}' is meant", shown(name)));
        } else if place == Place::To && *name == "profile" {
            told.push(format!("{at}.profile addresses nobody; its members belong into '{at}' itself"));
        } else if let Some(provider) = Provider::named(name).filter(|it| !is_key() && !is_addressed(*it)) {
            let row = provider.row();
            let by = match row.borrows {
                // Anything may be called so.
                Some(Borrowed::Nothing) if place == Place::Profile || provider == Provider::Custom => continue,
                Some(Borrowed::Nothing) if row.profile_keys.is_empty() => {
                    "needs no address; name it in 'routing'".to_owned()
                }
                _ => format!("has its address in {}", row.reached_by()),
            };
            told.push(format!("{at}.{name} addresses nobody: {} {by}", provider.name()));
        }
    }
    told
}

/// What people write in a bulk user, and what they mean by it.
const MEANT: &[(&[&str], &str)] = &[
    (&["recipientId", "recipient_id", "userId", "userID", "user", "id"], "recipient"),
    (&["emailAddress", "email_address", "mail"], "profile.email"),
    (&["phone", "phoneNumber", "mobile"], "profile.phone_number"),
    (&["locale", "tenant_id", "context"], "to"),
];

/// What nothing comes of in a bulk user, in words for the log: the names, and what is told of each; `at` is the user's path.
pub fn of_user(user: &str, at: impl Fn() -> String) -> Vec<(String, String)> {
    let (mut unknown, mut has_name) = (Vec::new(), false);
    let mut told = Vec::new();
    let looked = Object::of(user).for_each(|name, value| {
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
        let mut names = Vec::new();
        let looked = Object::of(value).for_each(|name, value| {
            if value != "null" {
                names.push(name.to_owned());
            }
        });
        if looked.is_ok() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let slips = slips(&names, place, name);
            told.extend(slips.into_iter().map(|slip| (slip.clone(), format!("{}.{slip}", at()))));
        }
    });
    if looked.is_err() {
        return told;
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
