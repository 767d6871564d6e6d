#![no_main]

use bulkd::api::paging::{Cursor, MAX_LIMIT, PagedList};
use bulkd::api::query::Query;
use bulkd::model::row::JobRow;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u32, u64)| {
    let (text, list, position) = input;
    let (list, other) = (PagedList::Users(JobRow(i64::from(list))), PagedList::Users(JobRow(i64::from(list) + 1)));
    let position = position >> 1;
    let query = Query::new(text, &["cursor", "limit"]);
    assert!((1..=MAX_LIMIT).contains(&query.limit()));
    let given = query.one("cursor");
    for text in [Some(text), given.as_deref()].into_iter().flatten() {
        if let Ok(position) = Cursor::read(Some(text), list) {
            assert_eq!(Cursor { list, position }.encode(), text);
        }
    }
    let ours = Cursor { list, position }.encode();
    assert_eq!(Cursor::read(Some(&ours), list).unwrap(), position);
    assert!(Cursor::read(Some(&ours), other).is_err());
});
