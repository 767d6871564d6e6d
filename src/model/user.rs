//! One user of a bulk job, as it was sent.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::data::UserLayers;
use super::preference::RecipientPreferences;
use crate::error::{Error, Result};
use crate::json::members::{self, members};
use crate::json::{self, Fields, Object, Text};

members! {
    /// A member of `users`. Every field may be absent or null. Other fields are kept and ignored.
    ///
    /// The forms are those of Courier's tutorial, of its 2024 documentation and of its SDKs. Top-level `user_id`,
    /// `email` and `phone_number` are documented nowhere, but appear in a sample answer.
    pub struct User<'a> {
        #[serde(borrow)]
        pub recipient: Text<'a> = "recipient",
        #[serde(borrow)]
        pub user_id: Text<'a> = "user_id",
        #[serde(borrow)]
        pub email: Text<'a> = "email",
        #[serde(borrow)]
        pub phone_number: Text<'a> = "phone_number",
        #[serde(borrow)]
        pub profile: Object<'a> = "profile",
        #[serde(borrow)]
        data: Object<'a> = "data",
        /// This user's choices, in addition to stored ones.
        pub preferences: Box<Fields<RecipientPreferences>> = "preferences",
        #[serde(borrow)]
        to: Fields<UserTo<'a>> = "to",
    }
}

members! {
    /// The recipient as Send spells it. Other members belong to the profile.
    pub struct UserTo<'a> {
        #[serde(borrow)]
        pub user_id: Text<'a> = "user_id",
        #[serde(borrow)]
        pub email: Text<'a> = "email",
        #[serde(borrow)]
        pub phone_number: Text<'a> = "phone_number",
        #[serde(borrow)]
        data: Object<'a> = "data",
        #[serde(borrow)]
        pub locale: Text<'a> = "locale",
        #[serde(borrow)]
        tenant_id: Text<'a> = "tenant_id",
        /// An older name for the same.
        #[serde(borrow)]
        account_id: Text<'a> = "account_id",
        #[serde(borrow)]
        context: Fields<Context<'a>> = "context",
        pub preferences: Box<Fields<RecipientPreferences>> = "preferences",
        ; text
    }
}

members! {
    /// The tenant that a user belongs to here.
    pub struct Context<'a> {
        #[serde(borrow)]
        tenant_id: Text<'a> = "tenant_id",
    }
}

/// Members of `to` that are about the message, and not about its recipient.
const OF_THE_MESSAGE: [&str; 6] = ["data", "preferences", "context", "list_id", "tenant_id", "account_id"];

impl<'a> UserTo<'a> {
    /// The object itself: its addresses have the same keys as those of a profile.
    pub fn as_profile(&self) -> Option<&'a str> {
        self.text.map(|text| text.as_str())
    }
}

impl<'a> User<'a> {
    /// Reads a user, whose text is known to be JSON; `at` is its path in the request.
    pub fn read(text: &'a str, at: impl FnOnce() -> String) -> Result<Self> {
        members::read(text, at)
    }

    pub fn to(&self) -> Option<&UserTo<'a>> {
        self.to.as_ref().map(|Fields(to)| to)
    }

    /// The user's own data.
    pub fn data_layers(&self) -> UserLayers<'a> {
        [self.data, self.to().and_then(|to| to.data)]
    }

    /// The tenant of this user, if it is another than that of the message.
    pub fn tenant_id(&self) -> Option<&str> {
        let to = self.to()?;
        let context = to.context.as_ref().and_then(|Fields(context)| context.tenant_id.as_ref());
        to.tenant_id.as_ref().or(context).or(to.account_id.as_ref()).map(Text::as_str)
    }

    /// Calls `each` with the members of the profile that came with the user. Later ones replace earlier ones: first
    /// `to`, then the profile that was sent.
    pub fn received_profile(&self, mut each: impl FnMut(&str, &'a str)) -> Result<()> {
        if let Some(to) = self.to().and_then(|to| to.text) {
            to.for_each(|name, value| {
                if value != "null" && !OF_THE_MESSAGE.contains(&name) {
                    each(name, value);
                }
            })?;
        }
        self.profile.map_or(Ok(()), |profile| profile.for_each(each))
    }

    /// The same, merged over the stored profile.
    pub fn merged_profile(&self, stored: Option<&'a str>, mut each: impl FnMut(&str, &'a str)) -> Result<()> {
        stored.map_or(Ok(()), |stored| Object::of(stored).for_each(&mut each))?;
        self.received_profile(each)
    }

    /// The recipient: `recipient`, else `to.user_id`, else `user_id`. An empty one does not count.
    pub fn recipient(&self, at: impl FnOnce() -> String) -> Result<Option<&Cow<'a, str>>> {
        let to = self.to().and_then(|to| to.user_id.as_ref());
        let named = [("recipient", self.recipient.as_ref()), ("to.user_id", to), ("user_id", self.user_id.as_ref())];
        match named.into_iter().find_map(|(field, name)| Some((field, name?))) {
            Some((field, name)) if name.0.is_empty() => {
                Err(Error::invalid(format_args!("{}.{field}", at()), "expected a name, found an empty string"))
            }
            named => Ok(named.map(|(_, name)| &name.0)),
        }
    }
}

/// The text of a user that names its recipient, even if that was only known from elsewhere.
pub fn named(user: String, recipient: &str) -> Result<String> {
    let mut says_so = false;
    let mut is_empty = true;
    let user = if json::is_empty_array(&user) { "{}".to_owned() } else { user };
    Object::of(&user).for_each(|name, value| {
        is_empty = false;
        says_so |= name == "recipient" && value != "null";
    })?;
    if says_so {
        return Ok(user);
    }
    let comma = if is_empty { "" } else { "," };
    Ok(user.replacen('{', &format!("{{\"recipient\":{}{comma}", json::quoted(recipient)), 1))
}

/// Reads users and calls `each` with each one's text, and its recipient if it names one. `at` is their path in the
/// request.
pub fn read_each(users: Vec<&RawValue>, at: &str, each: &mut dyn FnMut(&str, Option<&str>)) -> Result<()> {
    for (index, user) in users.into_iter().enumerate() {
        let at = || format!("{at}[{index}]");
        let parsed = User::read(user.get(), at)?;
        each(user.get(), parsed.recipient(at)?.map(|name| &**name));
    }
    Ok(())
}

/// The tenant of a user, if it names one.
pub fn tenant_id(user: &str) -> Option<String> {
    User::read(user, String::new).ok()?.tenant_id().map(str::to_owned)
}

/// The locale of a user: of `to`, else of the profile that was sent, else of the stored one.
pub fn locale(user: &str, stored_profile: Option<&str>) -> Option<String> {
    let user = User::read(user, String::new).ok()?;
    if let Some(locale) = user.to().and_then(|to| to.locale.as_ref()) {
        return Some(locale.as_str().to_owned());
    }
    let mut found = None;
    let find = |name: &str, value: &str| {
        if name == "locale" && value != "null" {
            found = serde_json::from_str(value).ok();
        }
    };
    user.merged_profile(stored_profile, find).ok()?;
    found
}

/// The list that a user was found in.
pub fn list_id(user: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Listed {
        to: Option<To>,
    }
    #[derive(Deserialize)]
    struct To {
        list_id: Option<String>,
    }
    serde_json::from_str::<Listed>(user).ok()?.to?.list_id
}
