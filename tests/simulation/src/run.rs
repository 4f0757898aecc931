//! Takes a seed's steps, heals all, waits until it is at rest, and checks; and makes what fails short.

use crate::{
    breaks::Break,
    chance::Chance,
    check,
    schedule::{Drawn, MIXES, Mix, schedule},
    world::{Stats, World},
};

/// Time passes with each step.
const STEP_MS: i64 = 250;

/// How a world ended.
#[derive(Debug)]
pub struct Outcome {
    pub violation: Option<String>,
    pub stats: Stats,
    pub trace: Vec<String>,
}

/// A seed that fails, with as few steps as still show it.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub mix: &'static str,
    pub violation: String,
    pub steps: Vec<Drawn>,
    pub trace: Vec<String>,
}

pub fn mix_of(seed: u64) -> &'static Mix {
    let count = MIXES.len() as u64;
    let index = usize::try_from(seed % count).unwrap_or(0);
    &MIXES[index]
}

/// Runs one seed. Where it fails, what is left after leaving out steps.
pub fn seed(seed: u64, broken: &[Break]) -> Result<Stats, Box<Failure>> {
    let mix = mix_of(seed);
    let steps = schedule(seed, mix);
    let outcome = steps_of(&steps, mix, broken, false);
    let Some(violation) = outcome.violation else {
        return Ok(outcome.stats);
    };
    Err(Box::new(Failure {
        seed,
        mix: mix.name,
        violation,
        steps,
        trace: Vec::new(),
    }))
}

pub fn steps_of(steps: &[Drawn], mix: &Mix, broken: &[Break], traced: bool) -> Outcome {
    let mut world = World::new(mix.plan, broken);
    world.trace = traced.then(Vec::new);
    for (step, chance) in steps {
        world.now += STEP_MS;
        step.take(&mut world, &mut Chance::new(*chance));
        if world.violation.is_some() {
            break;
        }
    }
    if world.violation.is_none() {
        drain(&mut world);
    }
    if world.violation.is_none() {
        check::all(&mut world);
    }
    Outcome {
        stats: check::stats(&world),
        violation: world.violation,
        trace: world.trace.unwrap_or_default(),
    }
}

/// No more faults: time passes, and all must come to rest.
fn drain(world: &mut World) {
    world.say(|| "--- all heals".to_owned());
    let mut chance = Chance::new(1);
    if world.edges.iter().any(|edge| edge.key == 10)
        && let Some(old) = crate::database::mutable(&mut world.db.gateways).get_mut(&1)
    {
        old.is_active = false;
    }
    for round in 0..80 {
        world.now += if round % 4 == 0 { 31_000 } else { 6_000 };
        for node in &mut world.nodes {
            node.is_up = true;
        }
        for edge in 0..world.edges.len() {
            world.start_edge(edge);
            world.notice_edge(edge, &mut chance);
        }
        world.notice_nodes();
        for edge in 0..world.edges.len() {
            world.connect_edge(edge, &mut chance);
            settle(world, &mut chance);
        }
        for edge in 0..world.edges.len() {
            world.look_at_deck(edge, 6, None);
        }
        drain_gateway(world, round);
        let stations: Vec<i64> = world.yard.decks.keys().copied().collect();
        for station in stations {
            world.leave_from(station, false);
        }
        world.ping();
        world.correct_decks();
        if world.violation.is_some() || round > 3 && is_at_rest(world) {
            return world.deliver_erp();
        }
    }
    let waits = world.yard.decks.values().any(Option::is_some);
    world.fail(if waits {
        "wedge: a truck waits on its deck"
    } else {
        "wedge: not drained"
    });
}

fn settle(world: &mut World, chance: &mut Chance) {
    for _ in 0..12 {
        for edge in 0..world.edges.len() {
            world.pump_edge(edge, chance);
        }
        if world.is_quiet() {
            break;
        }
        world.serve_all(chance);
        for edge in 0..world.edges.len() {
            for _ in 0..4 {
                world.receive_edge(edge, chance);
            }
        }
    }
    for edge in 0..world.edges.len() {
        if is_in_step(world, edge) {
            world.edges[edge].synced = Some(world.version);
        }
    }
}

fn drain_gateway(world: &mut World, round: usize) {
    for _ in 0..6 {
        let kg = world.yard.stands(crate::gateway::FED).map_or(0, |stay| stay.kg);
        world.gateway_sees(crate::gateway::FED, kg);
    }
    world.post_to(round % world.nodes.len(), 200, false, None);
}

/// Whether an edge has sent all to the server as it is now.
fn is_in_step(world: &World, edge: usize) -> bool {
    let at = &world.edges[edge];
    let Some(process) = &at.process else { return false };
    let Some(key) = process.socket else { return false };
    let quiet = world
        .sockets
        .get(&key)
        .is_some_and(|socket| socket.up.is_empty() && socket.down.is_empty());
    quiet && process.welcomed && world.db.newest.get(&at.key) == Some(&key) && process.sender.in_flight() == 0
}

fn is_at_rest(world: &World) -> bool {
    let empty = world.yard.decks.values().all(Option::is_none);
    let fed = world.gateway.as_ref().is_none_or(crate::gateway::Gateway::is_idle);
    let in_step = world.edges.iter().all(|edge| {
        let state = edge.file.store.state(edge.station);
        edge.synced == Some(world.version) && !edge.file.has_unsent() && crate::edge::captured(&state).is_none()
    });
    empty && fed && in_step
}

/// Leaves out ever smaller pieces while the same kind of violation stays, and tells the rest as a story.
pub fn shrink(failure: &mut Failure, broken: &[Break]) {
    let mix = mix_of(failure.seed);
    let kind = kind_of(&failure.violation).to_owned();
    let fails = |steps: &[Drawn]| {
        let outcome = steps_of(steps, mix, broken, false);
        outcome.violation.is_some_and(|violation| kind_of(&violation) == kind)
    };
    let mut piece = failure.steps.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut shorter) = (0, false);
        while at < failure.steps.len() {
            let end = (at + piece).min(failure.steps.len());
            let rest = [&failure.steps[..at], &failure.steps[end..]].concat();
            if fails(&rest) {
                (failure.steps, shorter) = (rest, true);
            } else {
                at = end;
            }
        }
        if piece == 1 && !shorter {
            break;
        }
        piece = (piece / 2).max(1);
    }
    let outcome = steps_of(&failure.steps, mix, broken, true);
    failure.violation = outcome.violation.unwrap_or_default();
    failure.trace = outcome.trace;
}

/// The word before the colon.
pub fn kind_of(violation: &str) -> &str {
    violation.split(':').next().unwrap_or(violation)
}

/// What the first of these seeds breaks that breaks something.
pub fn first_broken(mut seeds: std::ops::Range<u64>, broken: &[Break]) -> Option<String> {
    seeds.find_map(|number| {
        let failure = seed(number, broken).err()?;
        Some(kind_of(&failure.violation).to_owned())
    })
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {} ({}): {}", self.seed, self.mix, self.violation)?;
        writeln!(
            f,
            "WEIGHBRIDGE_TEST_SEED={} shows it again; what is left of its steps:",
            self.seed
        )?;
        let steps: Vec<String> = self.steps.iter().map(|(step, _)| format!("{step:?}")).collect();
        writeln!(f, "  {}", steps.join(", "))?;
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
