//! The data of a message, in layers. From the lowest: the definition's nested form, its flat form, the user's `data`,
//! and `to.data`. A name in a higher layer replaces the same name below.

use std::borrow::Cow;

use indexmap::IndexMap;

use crate::error::Result;
use crate::json::Object;

/// The data of a job: names and raw JSON values, in the order in which they were sent.
pub type Data = IndexMap<String, String>;

/// The layers of one user, the lower one first.
pub type UserLayers<'a> = [Option<Object<'a>>; 2];

/// The layers of a definition, the lower one first, merged.
pub fn of_job(layers: [Option<Object<'_>>; 2]) -> Result<Data> {
    let mut data = Data::new();
    for layer in layers.into_iter().flatten() {
        layer.for_each(|name, value| drop(data.insert(name.to_owned(), value.to_owned())))?;
    }
    Ok(data)
}

/// A user's layers over those of the job: the job's names first, then the user's, in the order in which they were sent.
pub fn of_message<'a>(job: &'a Data, user: UserLayers<'a>) -> Result<IndexMap<Cow<'a, str>, &'a str>> {
    let mut data: IndexMap<Cow<'a, str>, &str> =
        job.iter().map(|(name, value)| (Cow::from(name), value.as_str())).collect();
    for layer in user.into_iter().flatten() {
        let lay = |name: &str, value| {
            data.insert(Cow::from(name.to_owned()), value);
        };
        layer.for_each(lay)?;
    }
    Ok(data)
}
