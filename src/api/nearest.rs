//! What is said of a route that does not exist: which methods its path has, and which routes are nearest to it.

use super::call::is_our_own;
use super::route::{self, Route};
use crate::http::Method;

/// Resources that Courier has routes for and bulkd has not.
const ABSENT: [&str; 14] = [
    "accounts",
    "audiences",
    "audit-events",
    "auth",
    "automations",
    "broadcasts",
    "digests",
    "events",
    "inbound",
    "journeys",
    "providers",
    "routing-strategies",
    "tenants",
    "translations",
];

/// Names that people use for what has another name in paths.
const OTHER_NAMES: [(&str, &str); 3] =
    [("templates", "notifications"), ("template", "notifications"), ("jobs", "bulk")];

/// The most parts of a path that are compared, and the most characters of a part. No route has more.
const PARTS: usize = 12;
const CHARACTERS: usize = 40;

/// The cost of one part too many, one too few, or one that differs.
const PART: usize = 100;
/// The same of a part that may hold anything.
const NAME: usize = 60;
/// Of an empty part, such as behind a slash at the end.
const EMPTY: usize = 10;
/// What a part costs that a name stands for. Where a word stands for it, it costs nothing.
const FILLED: usize = 5;
/// Routes that are further away were not meant.
const FAR: usize = 210;
/// Words that have less than this in common, out of a hundred, are different words.
const ALIKE: usize = 65;

/// The most routes that are named at once.
const NAMED: usize = 3;

/// Which routes may be named.
type Among = fn(&Route) -> bool;

const ANY: Among = |_| true;

/// A hint for a request that has no route. It follows the words that there is none. Empty if nothing is near.
pub fn hint(table: &'static [Route], method: &Method, path: &str) -> String {
    hint_among(table, ANY, Some(method), path)
}

/// The same with routes of Courier's alone, and maybe of any method.
pub fn hint_of_couriers(table: &'static [Route], method: Option<&Method>, path: &str) -> String {
    hint_among(table, |route| !route.is_ours(), method, path)
}

fn hint_among(table: &'static [Route], among: Among, method: Option<&Method>, path: &str) -> String {
    let wanted = method.map(wanted);
    if let Some(absent) = absent(&parts_of(path)) {
        return format!("; bulkd has nothing of Courier's {absent}");
    }
    let (of_path, found) = (of_path(table, among, path), near(table, among, wanted, path));
    let mut hint = String::new();
    if !of_path.is_empty() {
        let methods: Vec<String> = of_path.iter().map(|route| format!("{} ({})", route.method, about(route))).collect();
        hint.push_str(&format!("; with this path there is {}", listed(&methods, "and")));
    }
    if !found.is_empty() {
        let routes: Vec<String> =
            found.iter().map(|route| format!("{} {} ({})", route.method, route.path, about(route))).collect();
        hint.push_str(&format!("; nearest is {}", listed(&routes, "or")));
    }
    hint
}

fn meant(part: &str) -> &str {
    OTHER_NAMES.iter().find(|(other, _)| *other == part).map_or(part, |(_, name)| name)
}

/// The routes that a request may have meant: those of its path, and the nearest to it.
pub fn routes(table: &'static [Route], method: &Method, path: &str) -> Vec<&'static Route> {
    if absent(&parts_of(path)).is_some() {
        return Vec::new();
    }
    of_path(table, ANY, path).into_iter().chain(near(table, ANY, Some(wanted(method)), path)).collect()
}

fn wanted(method: &Method) -> &Method {
    if *method == Method::Head { &Method::Get } else { method }
}

/// The routes of this path with other methods.
fn of_path(table: &'static [Route], among: Among, path: &str) -> Vec<&'static Route> {
    table.iter().filter(|it| among(it) && route::is_path(it.path, path)).collect()
}

/// The nearest of this method; of any, if none is near and none has the path.
fn near(table: &'static [Route], among: Among, wanted: Option<&Method>, path: &str) -> Vec<&'static Route> {
    let parts: Vec<&str> = parts_of(path).into_iter().map(meant).collect();
    let has_path = !of_path(table, among, path).is_empty();
    // A path that begins as Courier's do means none of bulkd's own.
    let is_of = |route: &Route| Some(&route.path.split('/').nth(1).unwrap_or_default()) == parts.first();
    let is_couriers = table.iter().any(|route| !route.is_ours() && is_of(route));
    let among = |route: &Route| among(route) && !(is_couriers && is_our_own(route.path));
    let found = nearest(table, &parts, |route| among(route) && wanted.is_none_or(|wanted| route.method == *wanted));
    match found.is_empty() && !has_path {
        true => nearest(table, &parts, among),
        false => found,
    }
}

fn parts_of(path: &str) -> Vec<&str> {
    path.split('/').skip(1).take(PARTS).collect()
}

/// The resource that a path is about, if it is none of bulkd's.
fn absent(parts: &[&str]) -> Option<&'static str> {
    let of_user = parts.first().filter(|first| **first == "users").and_then(|_| parts.get(2));
    let resources = [parts.first(), of_user];
    ABSENT.into_iter().find(|name| resources.into_iter().flatten().any(|part| part == name))
}

/// What a route is for, as a part of a sentence.
fn about(route: &Route) -> String {
    let mut letters = route.about.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn listed(texts: &[String], last: &str) -> String {
    match texts {
        [before @ .., one, other] => {
            let before: String = before.iter().map(|text| format!("{text}, ")).collect();
            format!("{before}{one} {last} {other}")
        }
        texts => texts.concat(),
    }
}

/// The nearest routes among some, if any is near.
fn nearest(table: &'static [Route], parts: &[&str], among: impl Fn(&Route) -> bool) -> Vec<&'static Route> {
    let measured = table.iter().filter(|route| among(route)).filter_map(|route| {
        let of_route: Vec<&str> = route.path.split('/').skip(1).collect();
        let is_word = |word: &str| !is_name(word) && !word.is_empty();
        let is_related = of_route.iter().any(|word| is_word(word) && parts.iter().any(|part| is_alike(word, part)));
        let distance = distance(parts, &of_route);
        (is_related && distance <= FAR).then_some((distance, route))
    });
    let measured: Vec<(usize, &Route)> = measured.collect();
    let least = measured.iter().map(|(distance, _)| *distance).min();
    let nearest = measured.into_iter().filter(|(distance, _)| Some(*distance) == least);
    nearest.map(|(_, route)| route).take(NAMED).collect()
}

fn is_name(word: &str) -> bool {
    word.starts_with('{')
}

/// What two words have in common, out of a hundred.
fn likeness(word: &str, part: &str) -> usize {
    let part: String = part.chars().take(CHARACTERS).collect::<String>().to_ascii_lowercase();
    (strsim::normalized_damerau_levenshtein(word, &part) * 100.0) as usize
}

fn is_alike(word: &str, part: &str) -> bool {
    likeness(word, part) >= ALIKE
}

/// The least cost of turning a path into a route's: the edit distance of their parts.
fn distance(parts: &[&str], of_route: &[&str]) -> usize {
    let one_too_few = |word: &str| if is_name(word) { NAME } else { PART };
    let one_too_many = |part: &str| if part.is_empty() { EMPTY } else { PART };
    let instead = |word: &str, part: &str| match part {
        "" => PART,
        _ if is_name(word) => FILLED,
        part if word == part => 0,
        part => match likeness(word, part) {
            likeness if likeness >= ALIKE => PART - likeness,
            _ => PART,
        },
    };
    let mut row: Vec<usize> = vec![0];
    for word in of_route {
        row.push(row.last().copied().unwrap_or_default() + one_too_few(word));
    }
    for part in parts {
        let mut next = vec![row[0] + one_too_many(part)];
        for (at, word) in of_route.iter().enumerate() {
            let costs = [row[at] + instead(word, part), row[at + 1] + one_too_many(part), next[at] + one_too_few(word)];
            next.extend(costs.into_iter().min());
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_parts_and_takes_names_for_anything() {
        let of = |path: &str, route: &str| {
            let parts = |path: &'static str| path.split('/').skip(1).collect::<Vec<_>>();
            distance(&parts(path.to_owned().leak()), &parts(route.to_owned().leak()))
        };
        assert_eq!(of("/bulk", "/bulk"), 0);
        assert_eq!(of("/bulk/1", "/bulk/{job_id}"), FILLED);
        assert_eq!(of("/bulk/1/users", "/bulk/{job_id}"), FILLED + PART);
        assert_eq!(of("/bulk/1/", "/bulk/{job_id}"), FILLED + EMPTY);
        assert_eq!(of("/bulk", "/bulk/{job_id}"), NAME);
        assert_eq!(of("/v1/send", "/send"), PART);
        assert_eq!(of("/", "/send"), PART);
        assert!(of("/Profile/ada", "/profiles/{user_id}") < PART / 2);
    }
}
