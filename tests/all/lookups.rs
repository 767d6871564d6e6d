//! What the runner asks of the store about the users that it reaches, and what a seed puts there.

use crate::support::open_store;
use bulkd::error::Result;
use bulkd::json::Object;
use bulkd::model::channel::Channel;
use bulkd::model::environment::{Environment, EnvironmentRow};
use bulkd::model::list::ListPattern;
use bulkd::model::preference::{PreferenceStatus, Topic, TopicPreference};
use bulkd::model::profile::Profile;
use bulkd::model::provider::Provider;
use bulkd::model::row::ProfileVersion;
use bulkd::model::token::Token;
use bulkd::store::opening::Threads;
use bulkd::store::preference::PreferenceOwner;
use bulkd::store::{Db, Store, Tx, environment, list, preference, profile, subscription, token};

fn open() -> (Store, Threads) {
    open_store(None, 0)
}

/// The row of the environment `key` after `change` was made in it.
fn seeded(store: &Store, key: &'static str, change: fn(&mut Tx<'_>, EnvironmentRow) -> Result<()>) -> EnvironmentRow {
    let seeded = store.write(move |tx| {
        let row = environment::find_or_create(tx, &Environment::of_key(key))?;
        change(tx, row).map(|()| row)
    });
    seeded.unwrap()
}

fn read<T>(store: &Store, query: impl FnOnce(&Db<'_>) -> Result<T>) -> T {
    store.read(query).unwrap()
}

#[test]
fn a_profile_is_found_with_its_version_and_old_versions_stay() {
    let (store, threads) = open();
    let put = |text: &'static str| {
        move |tx: &mut Tx<'_>, row| profile::replace(tx, row, "ada", Profile::new(Object::of(text))?.as_str())
    };
    let empty = seeded(&store, "empty", |_, _| Ok(()));
    let row = seeded(&store, "key", |_, _| Ok(()));
    assert!(!read(&store, |db| profile::any(db, row)));
    store.write(move |tx| put("{\"a\":1}")(tx, row)).unwrap();
    let first = read(&store, |db| profile::find_current(db, row, "ada")).unwrap();
    store.write(move |tx| put("{\"a\":2}")(tx, row)).unwrap();
    let second = read(&store, |db| profile::find_current(db, row, "ada")).unwrap();
    assert_eq!((first.1.as_str(), second.1.as_str()), ("{\"a\":1}", "{\"a\":2}"));
    assert_eq!(read(&store, |db| profile::get_version(db, first.0)).as_deref(), Some("{\"a\":1}"));
    assert!(store.read(|db| profile::get_version(db, ProfileVersion(99))).is_err());
    assert!(read(&store, |db| profile::any(db, row)) && !read(&store, |db| profile::any(db, empty)));
    assert_eq!(read(&store, |db| profile::find_current(db, empty, "ada")), None);
    store.stop();
    threads.join();
}

#[test]
fn choices_and_topics_are_found_where_they_were_made() {
    let (store, threads) = open();
    let empty = seeded(&store, "empty", |_, _| Ok(()));
    let row = seeded(&store, "key", |tx, row| {
        let topic = Topic { name: "Offers".to_owned(), default_status: PreferenceStatus::OptedOut };
        preference::put_topic(tx, row, "ads", &topic)?;
        preference::put_topic(tx, row, "ads", &topic)
    });
    assert!(read(&store, |db| preference::any(db, row)) && !read(&store, |db| preference::any(db, empty)));
    let topic = |row, topic_id: &'static str| read(&store, |db| preference::topic(db, row, topic_id));
    let choice = TopicPreference {
        status: PreferenceStatus::OptedOut,
        has_custom_routing: true,
        custom_routing: vec![Channel::Push, Channel::DirectMessage],
    };
    assert_eq!(topic(row, "ads").status(None), PreferenceStatus::OptedOut);
    assert_eq!(topic(empty, "ads"), Topic { name: "ads".to_owned(), default_status: PreferenceStatus::OptedIn });
    assert_eq!(topic(empty, "ads").status(Some(&choice)), PreferenceStatus::OptedOut);
    let required = Topic { name: "Security".to_owned(), default_status: PreferenceStatus::Required };
    assert_eq!(required.status(Some(&choice)), PreferenceStatus::Required);
    let chosen = choice.clone();
    store
        .write(move |tx| {
            let ada = PreferenceOwner { user_id: "ada".to_owned(), tenant_id: "acme".to_owned() };
            preference::put(tx, row, &ada, "ads", &chosen)
        })
        .unwrap();
    let found = |row, tenant_id: &'static str| read(&store, |db| preference::find(db, row, "ada", tenant_id, "ads"));
    assert_eq!(found(row, "acme"), Some(choice));
    assert_eq!((found(row, ""), found(empty, "acme")), (None, None));
    store.stop();
    threads.join();
}

#[test]
fn tokens_that_failed_or_were_revoked_are_not_used() {
    let (store, threads) = open();
    let row = seeded(&store, "key", |tx, row| {
        for (text, provider_key, status) in
            [("a", "apn", "active"), ("b", "expo", "revoked"), ("c", "firebase-fcm", "unknown"), ("d", "apn", "failed")]
        {
            let sent = format!("{{\"provider_key\":\"{provider_key}\",\"status\":\"{status}\"}}");
            token::put(tx, row, "ada", &Token::read(&sent, "", Some(text))?)?;
        }
        Ok(())
    });
    let active = read(&store, |db| token::list_active(db, row, "ada"));
    assert_eq!(active, [(Provider::Apn, "a".to_owned()), (Provider::FirebaseFcm, "c".to_owned())]);
    assert!(read(&store, |db| token::any(db, row)) && !read(&store, |db| token::any(db, EnvironmentRow(row.0 + 1))));
    store.stop();
    threads.join();
}

#[test]
fn lists_are_matched_and_their_subscribers_told_one_by_one() {
    let (store, threads) = open();
    let row = seeded(&store, "key", |tx, row| {
        for list_id in ["eu.news", "eu.offers", "us.news"] {
            let news = list::put(tx, row, list_id, "News", None)?;
            subscription::replace(tx, news, &[("bob".to_owned(), Some("{}".to_owned())), ("ada".to_owned(), None)])?;
        }
        list::delete(tx, row, "eu.offers")
    });
    let matched = read(&store, |db| list::match_pattern(db, row, &ListPattern::new("eu.*")));
    assert_eq!(matched.iter().map(|list| list.list_id.as_str()).collect::<Vec<_>>(), ["eu.news"]);
    let subscribers = |row, list_id: &'static str, wanted: usize| {
        let mut found = Vec::new();
        let known = read(&store, |db| {
            list::subscribers(db, row, list_id, |user_id, preferences| {
                found.push((user_id.to_owned(), preferences.map(str::to_owned)));
                Ok(found.len() < wanted)
            })
        });
        (known, found)
    };
    let (ada, bob) = (("ada".to_owned(), None), ("bob".to_owned(), Some("{}".to_owned())));
    assert_eq!(subscribers(row, "eu.news", 9), (true, vec![ada.clone(), bob]));
    assert_eq!(subscribers(row, "eu.news", 1), (true, vec![ada]));
    assert_eq!(subscribers(row, "eu.offers", 9), (false, vec![]));
    assert_eq!(subscribers(EnvironmentRow(row.0 + 1), "eu.news", 9), (false, vec![]));
    store.stop();
    threads.join();
}
