//! `cargo bench --bench throughput [-- --users N --batch N --clients N --rounds N --large N --durability full|fast --only WORD,...]`
//!
//! Starts the real binary, drives it over loopback, and prints each figure beside its floor: what SQLite, or a bare
//! server, does with the same rows or bytes on the same machine in the same minute. Floor and figure take turns, round
//! by round; what counts is the median of the rounds' ratios.
#![allow(clippy::disallowed_methods, reason = "its threads need no names")]

mod bare;
mod client;
mod customer;
mod daemon;
mod floor;
mod receiver;
mod report;
mod scenarios;
mod users;

use report::Report;
use scenarios::SCENARIOS;

pub struct Settings {
    pub users: usize,
    pub batch: usize,
    pub clients: usize,
    pub rounds: usize,
    /// Users of the large job; 0 leaves it out.
    pub large: usize,
    pub durability: String,
    /// The scenarios to play; none are all.
    pub only: Vec<String>,
}

fn main() {
    let mut settings = Settings {
        users: 1_000_000,
        batch: 1_000,
        clients: 4,
        rounds: 3,
        large: 0,
        durability: "full".to_owned(),
        only: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).expect("a number after the flag");
        match argument.as_str() {
            "--users" => settings.users = number(),
            "--batch" => settings.batch = number(),
            "--clients" => settings.clients = number(),
            "--rounds" => settings.rounds = number(),
            "--large" => settings.large = number(),
            "--durability" => settings.durability = arguments.next().expect("full or fast after --durability"),
            "--only" => {
                let words = arguments.next().expect("scenarios after --only");
                settings.only = words.split(',').map(str::to_owned).collect();
                let known = |word: &String| SCENARIOS.iter().any(|(name, _)| name == word);
                assert!(settings.only.iter().all(known), "scenarios are {:?}", SCENARIOS.map(|(name, _)| name));
            }
            "--tiny-http" => return bare::serve(arguments.next().expect("a body").into_bytes()),
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    let Settings { users, batch, clients, rounds, durability, .. } = &settings;
    println!("{users} users, calls of {batch}, {clients} clients, durability {durability}, {rounds} rounds");
    let mut report = Report::default();
    for round in 1..=*rounds {
        eprintln!("  round {round}");
        for (name, play) in SCENARIOS {
            if settings.only.is_empty() || settings.only.iter().any(|only| only == name) {
                play(&settings, &mut report);
            }
        }
    }
    report.print();
    let size = std::fs::metadata(daemon::BINARY).map_or(f64::NAN, |metadata| metadata.len() as f64);
    println!("binary size, bytes\n    {}", report::short(size));
}
