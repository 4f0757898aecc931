//! A yard is tested with an edge of a few lines: it believes the stable lamp and says so on the board.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::*;
use crate::{
    control::{Command, Obeys},
    encode::Format,
    scratch::Folder,
};

async fn yard(folder: &Folder) -> Yard {
    let mut spec = YardSpec::small(folder.path(), &[(7, Format::Cas22), (8, Format::And18)]).hasty(50, 40.0);
    spec.truth = Some(folder.path().join("truth.jsonl"));
    spec.patience = Duration::from_millis(1500);
    Yard::start(spec).await.unwrap()
}

/// Says "저장" on the second line, station 8's, whenever its weight stands still above 500 kg.
async fn believe_the_lamp(yard: &Yard) {
    let mut board = TcpStream::connect(yard.board(0).unwrap().address()).await.unwrap();
    let mut shown = yard.place(8).unwrap().station.shown();
    loop {
        let loaded = |shown: &Shown| shown.stable && shown.weight > Kilograms::from_whole(500);
        shown.wait_for(loaded).await.unwrap();
        board.write_all("7번\n8번 저장\r\n".as_bytes()).await.unwrap();
        shown
            .wait_for(|shown| shown.weight < Kilograms::from_whole(300))
            .await
            .unwrap();
        board.write_all("7번\n8번 대기\r\n".as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn trucks_follow_each_other_and_each_waits_for_the_word() {
    let folder = Folder::new();
    let yard = yard(&folder).await;
    let trucks = [yard.truck(1), yard.truck(2), yard.truck(3)];
    let weighings = trucks.iter().map(|truck| yard.weigh(Visit::stranger(truck, 8, 0)));
    let stays = tokio::select! {
        stays = futures_util::future::join_all(weighings) => stays,
        () = believe_the_lamp(&yard) => unreachable!(),
    };
    let stays: Vec<Stay> = stays.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(stays.iter().all(Stay::is_confirmed));
    let truth = yard.truth();
    assert!(
        truth.windows(2).all(|pair| pair[0].clear_at.unwrap() <= pair[1].on_at),
        "two trucks on one deck"
    );
    assert_eq!(
        crate::truth::history::read(&folder.path().join("truth.jsonl")).unwrap(),
        truth
    );
}

#[tokio::test]
async fn a_truck_that_is_told_nothing_leaves_after_its_patience() {
    let folder = Folder::new();
    let yard = yard(&folder).await;
    let truck = yard.truck(1);
    let stay = yard.weigh(Visit::stranger(&truck, 7, 0)).await.unwrap();
    assert!(!stay.is_confirmed());
    assert!(yard.is_free(7));
    assert!(yard.shown(7).unwrap().weight < EMPTY);
}

#[tokio::test]
async fn a_deck_is_taken_while_a_truck_stands_there_and_its_state_says_who() {
    let folder = Folder::new();
    let yard = yard(&folder).await;
    let truck = yard.truck(1);
    let mut events = yard.events();
    let looking = async {
        while !matches!(events.recv().await.unwrap(), YardEvent::DroveOn(_)) {}
        assert!(!yard.is_free(7) && yard.is_free(8));
        assert!(yard.states().contains(&truck.plate));
        yard.obey(&Command::Fault(Some(7), Fault::Silence(true))).unwrap();
        assert!(yard.states().contains("(silent)"));
        assert!(
            yard.obey(&Command::Fault(Some(9), Fault::Heal))
                .unwrap_err()
                .to_string()
                .contains("7, 8")
        );
    };
    let (stay, ()) = tokio::join!(yard.weigh(Visit::stranger(&truck, 7, 0)), looking);
    assert!(!stay.unwrap().is_confirmed());
}
