//! A second edge with a copy of the first one's file and key, on decks of its own: what a cloned machine is.

use std::{fs, path::Path, sync::Arc};

use weighbridge_sim::{
    encode::Format,
    indicator::Calibration,
    station::{StationSpec, line::Line},
    truck::Habits,
    truth::Stay,
    yard::{BoardSpec, Yard, YardSpec},
};

use super::{
    process::{Launch, Process},
    world::{FORMATS, HASTE, PATIENCE, RATE_HZ, World, built},
};

/// A running twin.
#[derive(Debug)]
pub struct Twin {
    pub yard: Arc<Yard>,
    pub edge: Process,
}

impl Twin {
    /// Copies the edge's data as they are now, and starts another edge on them.
    pub async fn of(world: &World) -> Self {
        let folder = world.folder().join("twin");
        fs::create_dir(&folder).unwrap();
        copy(&world.edge_data(), &folder.join("edge"));
        let ids: Vec<i64> = world.site.yard.station_ids().collect();
        let stations = (1..)
            .zip(ids.iter().zip(FORMATS))
            .map(|(number, (id, format))| station(&folder, number, *id, format));
        let yard = Yard::start(YardSpec {
            stations: stations.collect(),
            boards: vec![BoardSpec {
                address: ([127, 0, 0, 1], 0).into(),
                stations: ids,
            }],
            habits: Habits::default(),
            seed: 0,
            haste: HASTE,
            patience: PATIENCE,
            truth: None,
        });
        let yard = Arc::new(yard.await.unwrap());
        let home = world.folder().display();
        let toml = fs::read_to_string(&world.site.edge_toml).unwrap();
        let toml = toml.replace(&format!("{home}/"), &format!("{home}/twin/")).replace(
            &world.site.yard.board(0).unwrap().address().to_string(),
            &yard.board(0).unwrap().address().to_string(),
        );
        let config = folder.join("edge.toml");
        fs::write(&config, toml).unwrap();
        let mut edge = Process::start(Launch {
            name: "edge",
            under: Vec::new(),
            program: built("weighbridge-edge"),
            arguments: ["run", "--config", config.to_str().unwrap()]
                .map(str::to_owned)
                .to_vec(),
            environment: Vec::new(),
            folder,
        });
        edge.ready().await;
        Self { yard, edge }
    }

    /// What stood on its decks, under ids that the first yard does not have.
    pub fn truth(&self) -> Vec<Stay> {
        let mut stays = self.yard.truth();
        for stay in &mut stays {
            stay.id += 1_000_000;
        }
        stays
    }
}

fn station(folder: &Path, number: u32, id: i64, format: Format) -> StationSpec {
    StationSpec {
        id,
        format,
        calibration: Calibration::default(),
        rate_hz: RATE_HZ,
        line: Line {
            baud: Some(RATE_HZ * 480),
        },
        port: folder.join(format!("station-{number}")),
    }
}

/// Copies the files of a data directory; sockets are not copied, for they are another process's.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
