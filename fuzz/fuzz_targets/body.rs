#![no_main]

use bulkd::error::{Error, Kind};
use bulkd::model::definition::{Definition, Reading};
use bulkd::json::{self, Object};
use bulkd::model::send_to;
use bulkd::model::user::User;
use libfuzzer_sys::fuzz_target;

fn refused(error: &Error) {
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    assert!(!error.public_message().is_empty());
}

fuzz_target!(|body: &[u8]| {
    let Ok(body) = std::str::from_utf8(body) else { return };
    match User::read(body, || "users[0]".to_owned()) {
        Ok(user) => {
            assert_ne!(user.recipient(|| "users[0]".to_owned()).ok().flatten().map(|name| &**name), Some(""));
            // A list of users takes each one apart again.
            Object::of(body.trim()).for_each(|_, value| assert!(body.contains(value))).unwrap();
            for object in user.profile.into_iter().chain(user.data_layers().into_iter().flatten()) {
                assert!(body.contains(object.as_str()));
                let _ = object.for_each(|name, _| assert!(serde_json::from_str::<String>(&json::quoted(name)).is_ok()));
            }
        }
        Err(error) => refused(&error),
    }
    // Both are given what was found in a body that is JSON.
    let Ok(raw) = serde_json::from_str::<&serde_json::value::RawValue>(body) else { return };
    let body = raw.get();
    let readings = [Reading::Lenient, Reading::Send, Reading::Bulk, Reading::EventRequired];
    let outcomes = readings.map(|reading| Definition::read(body, reading));
    assert!(outcomes[0].is_ok() || outcomes[1].is_err(), "more is asked of it, and it passes");
    assert!(outcomes[2].is_ok() || outcomes[3].is_err(), "more is asked of it, and it passes");
    send_to::read(body).as_ref().err().into_iter().for_each(refused);
    outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).for_each(refused);
});
