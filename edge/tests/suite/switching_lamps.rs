//! Lamps and a barrier on the coils of a Modbus TCP unit: red whenever something is not as it should be.

use std::{net::SocketAddr, time::Duration};

use tokio::runtime::Runtime;
use weighbridge_protocol::link::{FromServer, messages::Lamp as Word};
use weighbridge_sim::lamp::{Lamp, Unit};

use crate::support::{Server, Site, deck::Says, eventually, server::State};

const RED: [bool; 2] = [true, false];
const GREEN: [bool; 2] = [false, true];
/// Counted from 0: where the barrier's coils and its input are.
const OPEN: usize = 2;
const CLOSE: usize = 3;
const LOOP: usize = 0;

/// A unit of the simulator, on a thread of its own.
struct Stand {
    lamp: Lamp,
    _runtime: Runtime,
}

impl Stand {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let lamp = runtime
            .block_on(Lamp::start(SocketAddr::from(([127, 0, 0, 1], 0)), 5))
            .unwrap();
        Self {
            lamp,
            _runtime: runtime,
        }
    }

    /// The unit's manual counts from 1.
    fn section(&self, more: &str) -> String {
        format!(
            "[[signal]]\nid = \"gate\"\nstation = 1\naddress = \"tcp://{}\"\nunit = 5\ncount_from = 1\nred = 1\ngreen = 2\n{more}\n",
            self.lamp.address()
        )
    }

    fn unit(&self) -> Unit {
        self.lamp.unit().borrow().clone()
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Unit) -> bool) {
        eventually(what, || is_so(&self.unit()).then_some(()));
    }

    #[track_caller]
    fn until_shows(&self, lamp: [bool; 2]) {
        let what = if lamp == RED { "red" } else { "green" };
        self.until(what, |unit| unit.coils[..2] == lamp);
    }

    fn forget_writes(&self) {
        self.lamp.change(|unit| unit.writes.clear());
    }
}

fn signal(lamp: Word) -> FromServer {
    FromServer::Signal { station_id: 1, lamp }
}

#[test]
fn it_is_green_for_a_called_truck_alone_and_a_call_ends_with_its_weighing() {
    let server = Server::with(State {
        lamp: Some(Word::Red),
        ..State::default()
    });
    let stand = Stand::new();
    let site = Site::new().linked_to(&server).with_section(&stand.section(""));
    let edge = site.start();
    site.until_linked();
    stand.until_shows(RED);
    server.say(signal(Word::Green));
    stand.until_shows(GREEN);
    site.deck.weighs(18_340);
    stand.until_shows(RED);
    edge.until_committed(1);
    site.deck.weighs(0);
    site.until_deck_is("empty");
    eventually("red, for nobody is called", || {
        let lamp = site.status()["lamps"][0].clone();
        (lamp["why"] == "not_called" && lamp["shows"] == "red").then_some(())
    });
    server.say(signal(Word::Green));
    stand.until_shows(GREEN);
    // Never both and never neither, at any write.
    assert!(
        stand
            .unit()
            .writes
            .iter()
            .all(|(first, coils)| *first == 0 && coils.len() == 2 && coils[0] != coils[1])
    );
    site.deck.says(Says::Nothing);
    stand.until_shows(RED);
    site.deck.weighs(0);
    stand.until_shows(GREEN);
    assert_eq!(edge.end(), 0);
    assert_eq!(stand.unit().coils[..2], RED, "an edge that ends leaves red");
}

#[test]
fn with_the_server_away_it_is_green_while_the_deck_is_empty() {
    let stand = Stand::new();
    let site = Site::new().with_section(&stand.section("alone_after_ms = 300"));
    let edge = site.start();
    stand.until_shows(GREEN);
    site.deck.weighs(18_340);
    stand.until_shows(RED);
    site.deck.weighs(0);
    stand.until_shows(GREEN);
    // A coil keeps its state when the edge is killed; the next start begins with red.
    edge.kill();
    assert_eq!(stand.unit().coils[..2], GREEN);
    stand.forget_writes();
    let _edge = site.start();
    stand.until("a first write", |unit| !unit.writes.is_empty());
    assert_eq!(stand.unit().writes[0], (0, RED.to_vec()));
    stand.until_shows(GREEN);
}

#[test]
fn a_unit_that_was_without_power_begins_with_red() {
    let stand = Stand::new();
    let site = Site::new().with_section(&stand.section("alone_after_ms = 300"));
    let _edge = site.start();
    stand.until_shows(GREEN);
    stand.lamp.set_power(false);
    eventually("away", || {
        (site.status()["lamps"][0]["connected"] == false).then_some(())
    });
    stand.forget_writes();
    stand.lamp.set_power(true);
    stand.until_shows(GREEN);
    assert_eq!(stand.unit().writes[0], (0, RED.to_vec()));
    site.deck.weighs(18_340);
    stand.until_shows(RED);
}

#[test]
fn a_lamp_that_shows_something_else_is_alarmed_and_switched_again() {
    let stand = Stand::new();
    let site = Site::new().with_section(&stand.section("alone_after_ms = 60000"));
    let edge = site.start();
    // Switched and read back: before, a change would be a mismatch of the first switching too.
    eventually("read back", || {
        (site.status()["lamps"][0]["shows"] == "red").then_some(())
    });
    stand.lamp.change(|unit| unit.coils[..2].copy_from_slice(&GREEN));
    stand.until_shows(RED);
    let lamp = site.status()["lamps"][0].clone();
    assert_eq!(
        (&lamp["mismatches"], &lamp["wanted"]),
        (&1.into(), &"red".into()),
        "{lamp}"
    );
    stand.lamp.change(|unit| {
        unit.welded = Some(1);
        unit.coils[1] = true;
    });
    edge.until_logged("it was switched to Red and shows Both");
    eventually("told", || (site.status()["lamps"][0]["shows"] == "both").then_some(()));
}

#[test]
fn the_barrier_opens_with_green_and_never_closes_on_a_truck() {
    let stand = Stand::new();
    let barrier = "alone_after_ms = 300\n[signal.barrier]\nopen = 3\nclose = 4\noccupied = 1\npulse_ms = 500";
    let site = Site::new().with_section(&stand.section(barrier));
    let _edge = site.start();
    stand.until("an opening", |unit| unit.coils[OPEN]);
    stand.until("the end of its pulse", |unit| !unit.coils[OPEN]);
    stand.lamp.change(|unit| unit.inputs[LOOP] = true);
    site.deck.weighs(18_340);
    stand.until_shows(RED);
    eventually("occupied", || {
        (site.status()["lamps"][0]["occupied"] == true).then_some(())
    });
    // Longer than a free way would have taken.
    std::thread::sleep(Duration::from_millis(1500));
    let closes = |unit: &Unit| {
        unit.writes
            .iter()
            .any(|(coil, on)| usize::from(*coil) == CLOSE && on == &[true])
    };
    assert!(!closes(&stand.unit()));
    stand.lamp.change(|unit| unit.inputs[LOOP] = false);
    stand.until("a closing", |unit| unit.coils[CLOSE]);
    stand.lamp.change(|unit| unit.inputs[LOOP] = true);
    stand.until("an opening again", |unit| unit.coils[OPEN] && !unit.coils[CLOSE]);
}
