#![no_main]

use bulkd::api::paging::{self, Cursor, MAX_LIMIT};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u32, u64)| {
    let (text, list, position) = input;
    let (list, position) = (i64::from(list), position >> 1);
    assert!((1..=MAX_LIMIT).contains(&paging::limit(text)));
    let given = paging::query(text, "cursor");
    for text in [Some(text), given.as_deref()].into_iter().flatten() {
        if let Ok(position) = Cursor::read(Some(text), list) {
            assert_eq!(Cursor { list, position }.encode(), text);
        }
    }
    let ours = Cursor { list, position }.encode();
    assert_eq!(Cursor::read(Some(&ours), list).unwrap(), position);
    assert!(Cursor::read(Some(&ours), list + 1).is_err());
});
