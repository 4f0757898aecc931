//! Which steps a seed draws.

use crate::{
    chance::Chance,
    edge::Death,
    world::{Plan, World},
};

macro_rules! steps {
    ($($name:ident => $does:expr),* $(,)?) => {
        /// Something that happens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Step { $($name),* }

        impl Step {
            /// Does it; a step that cannot happen now does nothing.
            pub fn take(self, world: &mut World, chance: &mut Chance) {
                let does: fn(&mut World, &mut Chance) = match self { $(Self::$name => $does),* };
                does(world, chance);
            }
        }
    };
}

steps! {
    NextTruck => World::next_truck,
    Arrive => World::arrive,
    Leave => World::leave,
    Call => World::call,
    Flow => World::flow,
    Look => |w, c| { let edge = c.below(w.edges.len()); w.look_at_deck(edge, 1 + c.below(6), None) },
    Connect => |w, c| { let edge = c.below(w.edges.len()); w.connect_edge(edge, c); },
    Pump => |w, c| { let edge = c.below(w.edges.len()); w.pump_edge(edge, c) },
    Serve => |w, c| w.serve(c, None),
    Receive => |w, c| { let edge = c.below(w.edges.len()); w.receive_edge(edge, c) },
    StartEdge => |w, c| { let edge = c.below(w.edges.len()); w.start_edge(edge) },
    StartNode => |w, c| { let node = c.below(w.nodes.len()); w.nodes[node].is_up = true },
    NoticeEdge => |w, c| { let edge = c.below(w.edges.len()); w.notice_edge(edge, c) },
    NoticeNodes => |w, _| w.notice_nodes(),
    Ping => |w, _| w.ping(),
    Replicate => |w, _| w.replicate(),
    BackUp => |w, _| w.back_up(),
    DeliverErp => |w, _| w.deliver_erp(),
    SaveImage => World::save_image,
    Wait => World::wait,
    Shift => World::shift,
    Post => |w, c| w.post(c, None),
    KillEdge => World::kill_edge,
    LookAndDieBefore => |w, c| w.look_and_die(c, Death::Before),
    LookAndDieAfter => |w, c| w.look_and_die(c, Death::After),
    ServeAndDieBefore => |w, c| w.serve(c, Some(Death::Before)),
    ServeAndDieAfter => |w, c| w.serve(c, Some(Death::After)),
    PostAndDieBefore => |w, c| w.post(c, Some(Death::Before)),
    PostAndDieAfter => |w, c| w.post(c, Some(Death::After)),
    KillNode => World::kill_some_node,
    Cut => World::cut,
    Flip => World::flip,
    FailOver => |w, _| w.fail_over(),
    RestoreDatabase => World::restore_database,
    RestoreImage => World::restore_image,
    Damage => World::damage,
    Wipe => World::wipe,
    Rot => World::rot,
    CloneEdge => World::clone_edge,
    Reregister => World::reregister,
    Reboot => World::reboot,
    ClockJump => World::clock_jump,
    LeaveUntold => World::leave_untold,
    Prune => World::prune,
    Flicker => World::flicker,
}

use Step::{
    BackUp, Call, ClockJump, CloneEdge, Connect, Cut, Damage, DeliverErp, FailOver, Flicker, Flip, Flow, KillEdge,
    KillNode, Leave, LeaveUntold, Look, LookAndDieAfter, LookAndDieBefore, NextTruck, NoticeEdge, NoticeNodes, Ping,
    Post, PostAndDieAfter, PostAndDieBefore, Prune, Pump, Reboot, Receive, Replicate, Reregister, RestoreDatabase,
    RestoreImage, Rot, SaveImage, Serve, ServeAndDieAfter, ServeAndDieBefore, Shift, StartEdge, StartNode, Wait, Wipe,
};

/// How often each step comes, relative to the others.
type Weights = &'static [(Step, usize)];

const NORMAL: Weights = &[
    (NextTruck, 9),
    (Step::Arrive, 5),
    (Leave, 5),
    (Call, 4),
    (Flow, 5),
    (Look, 10),
    (Connect, 4),
    (Pump, 7),
    (Serve, 7),
    (Receive, 7),
    (StartEdge, 6),
    (StartNode, 4),
    (NoticeEdge, 4),
    (NoticeNodes, 2),
    (Ping, 4),
    (Replicate, 2),
    (BackUp, 1),
    (DeliverErp, 1),
    (SaveImage, 1),
    (Wait, 1),
];

/// A world and what goes wrong in it.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    pub name: &'static str,
    pub plan: Plan,
    faults: Weights,
}

const ONE: Plan = Plan {
    stations: 1,
    nodes: 1,
    has_feed: false,
    window: 3,
};
const TWO: Plan = Plan {
    stations: 2,
    nodes: 2,
    has_feed: false,
    window: 64,
};
const FED: Plan = Plan {
    stations: 1,
    nodes: 2,
    has_feed: true,
    window: 64,
};

const fn mix(name: &'static str, plan: Plan, faults: Weights) -> Mix {
    Mix { name, plan, faults }
}

/// Seeds go round through these.
pub const MIXES: [Mix; 17] = [
    mix("calm", ONE, &[(Shift, 2), (Flicker, 2)]),
    mix(
        "kills",
        ONE,
        &[
            (KillEdge, 2),
            (LookAndDieBefore, 2),
            (LookAndDieAfter, 2),
            (ServeAndDieBefore, 2),
            (ServeAndDieAfter, 2),
            (KillNode, 1),
            (Shift, 2),
        ],
    ),
    mix(
        "link",
        ONE,
        &[(Cut, 6), (Flip, 2), (KillNode, 1), (ServeAndDieAfter, 2)],
    ),
    mix(
        "postgres",
        ONE,
        &[(FailOver, 2), (RestoreDatabase, 2), (Cut, 2), (ServeAndDieAfter, 1)],
    ),
    mix(
        "image",
        ONE,
        &[(RestoreImage, 3), (Cut, 3), (SaveImage, 2), (KillEdge, 1)],
    ),
    mix(
        "damage",
        ONE,
        &[
            (Damage, 2),
            (Wipe, 1),
            (Rot, 1),
            (Flicker, 1),
            (Cut, 3),
            (KillEdge, 1),
            (RestoreDatabase, 1),
        ],
    ),
    mix("clone", ONE, &[(CloneEdge, 2), (Cut, 3), (KillEdge, 1), (FailOver, 1)]),
    mix("anew", ONE, &[(Reregister, 1), (Cut, 2), (Wipe, 1), (KillEdge, 1)]),
    mix(
        "time",
        ONE,
        &[
            (Reboot, 3),
            (ClockJump, 3),
            (LeaveUntold, 3),
            (Cut, 3),
            (KillEdge, 2),
            (Wait, 3),
        ],
    ),
    mix(
        "retention",
        ONE,
        &[(Prune, 4), (Wait, 4), (RestoreDatabase, 2), (Cut, 1), (BackUp, 1)],
    ),
    mix(
        "again",
        ONE,
        &[
            (Flip, 25),
            (ServeAndDieAfter, 4),
            (Cut, 8),
            (NoticeEdge, 20),
            (Connect, 20),
            (Serve, 15),
            (Receive, 15),
        ],
    ),
    mix(
        "fork",
        ONE,
        &[
            (CloneEdge, 2),
            (FailOver, 3),
            (DeliverErp, 4),
            (SaveImage, 2),
            (RestoreImage, 2),
            (Cut, 3),
            (RestoreDatabase, 2),
            (BackUp, 1),
        ],
    ),
    mix(
        "losses",
        ONE,
        &[
            (Damage, 3),
            (SaveImage, 2),
            (RestoreImage, 3),
            (FailOver, 3),
            (Ping, 4),
            (Flip, 2),
            (Cut, 2),
        ],
    ),
    mix(
        "two",
        TWO,
        &[
            (FailOver, 2),
            (RestoreDatabase, 2),
            (Cut, 3),
            (ServeAndDieAfter, 1),
            (KillEdge, 1),
        ],
    ),
    mix(
        "nodes",
        TWO,
        &[
            (Cut, 8),
            (NoticeEdge, 8),
            (Connect, 8),
            (KillNode, 1),
            (StartNode, 4),
            (ServeAndDieBefore, 2),
            (ServeAndDieAfter, 2),
            (Flip, 1),
            (Shift, 2),
        ],
    ),
    mix(
        "feed",
        FED,
        &[
            (Post, 14),
            (PostAndDieBefore, 2),
            (PostAndDieAfter, 3),
            (StartNode, 4),
            (KillNode, 1),
            (Cut, 1),
            (FailOver, 1),
            (Shift, 2),
            (Wait, 1),
        ],
    ),
    mix(
        "all",
        TWO,
        &[
            (KillEdge, 1),
            (LookAndDieBefore, 1),
            (LookAndDieAfter, 1),
            (ServeAndDieBefore, 1),
            (ServeAndDieAfter, 1),
            (KillNode, 1),
            (Cut, 1),
            (Flip, 1),
            (FailOver, 1),
            (RestoreDatabase, 1),
            (RestoreImage, 1),
            (SaveImage, 1),
            (Damage, 1),
            (Wipe, 1),
            (Rot, 1),
            (Flicker, 1),
            (CloneEdge, 1),
            (Reregister, 1),
            (Reboot, 1),
            (ClockJump, 1),
            (LeaveUntold, 1),
            (Prune, 1),
            (Wait, 1),
            (Shift, 2),
        ],
    ),
];

/// A step with the chance that settles its choices, so that it stays what it is when others are left out.
pub type Drawn = (Step, u64);

/// The steps of a seed, 20 to 60.
pub fn schedule(seed: u64, mix: &Mix) -> Vec<Drawn> {
    let mut chance = Chance::new(seed);
    let table: Vec<(Step, usize)> = NORMAL.iter().chain(mix.faults).copied().collect();
    let total = table.iter().map(|(_, weight)| weight).sum();
    let length = 20 + chance.below(41);
    let draw = |_| {
        let mut at = chance.below(total);
        let step = table.iter().find(|(_, weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        (step.map_or(Flow, |(step, _)| *step), chance.bits())
    };
    (0..length).map(draw).collect()
}
