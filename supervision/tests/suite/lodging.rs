//! Temporary children come with a socket and go with it; when one falls, its socket is closed and the others stay.

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};
use tokio::sync::{mpsc, oneshot};
use weighbridge_supervision::{AskError, Ending, Enlisted, Handle, Mode, Spec, StartError, Temporary, Tree};

use crate::support::{Count, Fate, Panic, SOON, Stop, Worker, metric, quick, record_metrics, tree};

fn lodge(tree: &Tree, name: &str) -> (Handle<Worker>, oneshot::Receiver<Ending>) {
    let (tell, ended) = oneshot::channel();
    let worker = Worker::new(&Arc::<Fate>::default());
    let spec = Spec::new("session", name).under("sessions").mailbox(8);
    (
        tree.start_temporary(spec, worker, |ending| tell.send(ending).unwrap())
            .unwrap(),
        ended,
    )
}

fn scene() -> Tree {
    let tree = tree(quick());
    tree.supervisor("sessions").unwrap();
    tree
}

fn names(tree: &Tree) -> Vec<String> {
    tree.snapshot().into_iter().map(|row| row.name).collect()
}

#[actix::test]
async fn a_temporary_child_that_panics_is_gone_and_its_socket_is_closed() {
    let tree = scene();
    let ((falling, fallen), (other, _)) = (lodge(&tree, "session-1"), lodge(&tree, "session-2"));
    assert_eq!(falling.ask(Count, SOON).await, Ok(1));
    assert_eq!(names(&tree), ["root", "sessions", "session-1", "session-2"]);
    assert_eq!(falling.ask(Panic, SOON).await, Err(AskError::Crashed));
    assert!(matches!(fallen.await.unwrap(), Ending::Crashed(reason) if reason.ends_with("as told")));
    assert_eq!(falling.ask(Count, SOON).await, Err(AskError::Down));
    assert_eq!(names(&tree), ["root", "sessions", "session-2"]);
    assert_eq!(other.ask(Count, SOON).await, Ok(1));
}

#[actix::test]
async fn a_temporary_child_that_stops_itself_leaves() {
    let tree = scene();
    let (session, ended) = lodge(&tree, "session-1");
    session.ask(Stop, SOON).await.unwrap();
    assert_eq!(ended.await.unwrap(), Ending::Stopped);
    assert!(tree.find::<Worker>("session-1").is_none());
}

#[actix::test]
async fn a_restart_ends_a_temporary_child() {
    record_metrics();
    let tree = scene();
    let (session, ended) = lodge(&tree, "session-1");
    assert_eq!(tree.find::<Worker>("session-1").unwrap().ask(Count, SOON).await, Ok(1));
    tree.restart("session-1", Mode::Graceful).await.unwrap();
    assert_eq!(ended.await.unwrap(), Ending::Restarted);
    assert_eq!(session.ask(Count, SOON).await, Err(AskError::Down));
    assert!(metric(r#"actor_restarts_total{kind="session"}"#) >= 1.0);
}

#[actix::test]
async fn a_newer_child_takes_the_name_of_an_older() {
    let tree = scene();
    let ((_, older_ended), (_newer, _)) = (lodge(&tree, "session-1"), lodge(&tree, "session-1"));
    assert_eq!(older_ended.await.unwrap(), Ending::Superseded);
    let found = tree.find::<Worker>("session-1").unwrap();
    assert_eq!(found.ask(Count, SOON).await, Ok(1), "the name is the newer one's");
    let fate = Arc::<Fate>::default();
    let permanent = tree.start(Spec::new("worker", "session-1"), move || Worker::new(&fate));
    assert!(matches!(permanent, Err(StartError::NameTaken(_))));
}

#[actix::test]
async fn five_thousand_sessions_come_and_go() {
    record_metrics();
    let tree = scene();
    let sessions: Vec<_> = (0..5_000).map(|n| lodge(&tree, &format!("session-{n}"))).collect();
    assert_eq!(tree.snapshot().len(), 5_002);
    for (session, _) in &sessions {
        assert_eq!(session.ask(Count, SOON).await, Ok(1));
    }
    assert_eq!(tree.drain(SOON).await, Vec::<String>::new());
    for (_, ended) in sessions {
        assert_eq!(ended.await.unwrap(), Ending::Draining);
    }
    assert_eq!(tree.snapshot().len(), 2);
}

/// A child in a context that is not driven by the tree, as a WebSocket of actix-web is.
struct Link {
    tree: Tree,
    place: Option<Enlisted<Self>>,
    ended: mpsc::UnboundedSender<Ending>,
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let spec = Spec::new("edge-link", "edge-link-1").under("sessions");
        self.place = Some(self.tree.enlist(spec, ctx).unwrap());
    }
}

impl Temporary for Link {
    fn end(&mut self, why: Ending, ctx: &mut Self::Context) {
        self.ended.send(why).unwrap();
        ctx.stop();
    }
}

#[derive(Message)]
#[rtype(result = "String")]
struct Name;

impl Handler<Name> for Link {
    type Result = String;

    fn handle(&mut self, _: Name, _: &mut Self::Context) -> String {
        self.place.as_ref().unwrap().handle().name().to_owned()
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Fall;

impl Handler<Fall> for Link {
    type Result = ();

    fn handle(&mut self, _: Fall, ctx: &mut Self::Context) {
        // Outside of any message, and unguarded.
        ctx.run_later(Duration::ZERO, |_, _| panic!("as told"));
    }
}

async fn link(tree: &Tree) -> (Handle<Link>, mpsc::UnboundedReceiver<Ending>) {
    let (ended, ends) = mpsc::unbounded_channel();
    Link {
        tree: tree.clone(),
        place: None,
        ended,
    }
    .start();
    loop {
        match tree.find::<Link>("edge-link-1") {
            Some(link) if link.ask(Name, SOON).await.is_ok() => return (link, ends),
            _ => tokio::task::yield_now().await,
        }
    }
}

#[actix::test]
async fn a_child_in_a_foreign_context_is_reached_and_ended_like_any_other() {
    let tree = scene();
    let (link, mut ends) = link(&tree).await;
    assert_eq!(link.ask(Name, SOON).await.unwrap(), "edge-link-1");
    tree.restart("edge-link-1", Mode::Graceful).await.unwrap();
    assert_eq!(ends.recv().await, Some(Ending::Restarted));
    assert_eq!(link.ask(Name, SOON).await, Err(AskError::Down));
    assert_eq!(names(&tree), ["root", "sessions"]);
}

#[actix::test]
async fn a_child_in_a_foreign_context_that_panics_leaves_the_tree() {
    record_metrics();
    let tree = scene();
    let (link, mut ends) = link(&tree).await;
    link.ask(Fall, SOON).await.unwrap();
    assert_eq!(ends.recv().await, None, "it had no time for an ending");
    assert_eq!(link.ask(Name, SOON).await, Err(AskError::Down));
    assert_eq!(names(&tree), ["root", "sessions"]);
    assert!(metric(r#"actor_failures_total{kind="edge-link"}"#) >= 1.0);
}

/// Panics: as a message, or guarded as a frame from the peer is.
#[derive(Message)]
#[rtype(result = "()")]
enum Stumble {
    InMessage,
    InFrame,
}

impl Handler<Stumble> for Link {
    type Result = ();

    fn handle(&mut self, stumble: Stumble, ctx: &mut Self::Context) {
        if matches!(stumble, Stumble::InMessage) {
            panic!("as told");
        }
        ctx.run_later(Duration::ZERO, |this, ctx| {
            let guard = this.place.as_ref().unwrap().guard();
            guard.run(this, ctx, |_, _| panic!("as told"));
        });
    }
}

#[actix::test]
async fn a_child_in_a_foreign_context_that_is_guarded_ends_by_the_book() {
    for (stumble, answer) in [(Stumble::InMessage, Err(AskError::Crashed)), (Stumble::InFrame, Ok(()))] {
        let tree = scene();
        let (link, mut ends) = link(&tree).await;
        assert_eq!(link.ask(stumble, SOON).await, answer);
        assert_eq!(ends.recv().await, Some(Ending::Crashed("panicked: as told".to_owned())));
        assert_eq!(ends.recv().await, None);
        assert_eq!(link.ask(Name, SOON).await, Err(AskError::Down));
        assert_eq!(names(&tree), ["root", "sessions"]);
    }
}
