//! SF-14: the server's database comes back as it was some time ago, while edges live.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path, process::Command};

use crate::{
    frame::Case,
    yard::{
        calls,
        judgement::{drained, judge},
        world::{Spec, World},
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_gets_everything_again_with_the_slips_that_were_printed() {
    let mut case = Case::begin("SF-14").await;
    let mut world = World::start(Spec::of(&case).await).await;
    let trucks = calls::register(&world, 2).await;
    let mut visit = 0;
    for _ in 0..case.pick(1, 3) {
        weigh_all(&world, &trucks, 1, &mut visit).await;
        let backup = base_backup(&world);
        weigh_all(&world, &trucks, case.pick(1, 8), &mut visit).await;
        drained(&world).await;
        let before = (slips(&world).await, effects(&world).await);

        let welcomes = world.welcomes();
        world.server.stop().await;
        restore(&world.data_dir, &backup);
        world.server.start_again();
        world.server.ready().await;
        case.recovered(world.welcomed_since(welcomes).await);
        drained(&world).await;
        let gone_back = world.edge.log().matches("are sent again").count();
        assert!(gone_back > 0, "the edge never noticed:\n{}", world.edge.log_tail());
        // Drivers are called again, and nothing takes a number that was printed.
        weigh_all(&world, &trucks, 1, &mut visit).await;
        let after = (slips(&world).await, effects(&world).await);
        for (slip, weighed) in &before.0 {
            assert_eq!(after.0.get(slip), Some(weighed), "slip {slip}");
        }
        for (key, payload) in &before.1 {
            assert_eq!(after.1.get(key), Some(payload), "what ERP is told under {key}");
        }
        assert_eq!(after.1.len(), before.1.len() + trucks.len(), "one message a weighing");
        case.did("restores", 1);
        case.did("restarts", 1);
        case.did("slips that came back", before.0.len());
    }
    judge(&world, &mut case).await;
    world.stop().await;
    case.passed();
}

async fn weigh_all(world: &World, trucks: &[calls::Known], times: u32, visit: &mut u32) {
    for _ in 0..times {
        for truck in trucks {
            calls::weigh(world, truck, *visit).await;
        }
        *visit += 1;
    }
}

/// Every slip that is not lost: whose it is, and what it says.
async fn slips(world: &World) -> BTreeMap<String, String> {
    let sql = "SELECT slip_number, concat_ws(' ', id, vehicle_id, gross_weight, tare_weight, net_weight) \
               FROM weigh_record WHERE slip_number IS NOT NULL";
    world.pairs(sql).await
}

/// What ERP is told once: by key, the slip that it is about.
async fn effects(world: &World) -> BTreeMap<String, String> {
    let sql = "SELECT idempotency_key::text, aggregate_key FROM outbox WHERE kind = 'ERP_COMPLETE'";
    world.pairs(sql).await
}

/// What `pg_basebackup` makes while the server serves; answers its name.
fn base_backup(world: &World) -> String {
    let name = format!("backup-{:08x}", rand::random::<u32>());
    let output = Command::new(postgresql("pg_basebackup"))
        .args(["--wal-method=stream", "--checkpoint=fast", "--pgdata"])
        .arg(world.data_dir.join(&name))
        .arg("--dbname")
        .arg(world.database_url())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    name
}

/// Puts the backup into the place of the database, to be recovered as from an archive that has nothing newer.
fn restore(data_dir: &Path, backup: &str) {
    let (place, backup) = (data_dir.join("postgres"), data_dir.join(backup));
    let owner = fs::metadata(&place).unwrap();
    fs::remove_dir_all(&place).unwrap();
    fs::write(backup.join("recovery.signal"), "").unwrap();
    let settings = backup.join("postgresql.auto.conf");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(settings, format!("{text}restore_command = 'false'\n")).unwrap();
    let owner = format!("{}:{}", owner.uid(), owner.gid());
    let status = Command::new("chown")
        .args(["-R", &owner])
        .arg(&backup)
        .status()
        .unwrap();
    assert!(status.success());
    fs::rename(backup, place).unwrap();
}

/// One of the programs of the newest PostgreSQL here.
fn postgresql(program: &str) -> String {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin").join(program)));
    let newest = programs.filter(|path| path.is_file()).max();
    newest.map_or_else(|| program.to_owned(), |path| path.display().to_string())
}
