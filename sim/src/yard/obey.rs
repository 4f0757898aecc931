//! What a yard does when it is told so at its control port.

use weighbridge_protocol::kilograms::json_number;

use super::{Place, Yard};
use crate::{
    SimError,
    control::{Command, HELP, Obeys},
    fault::Faults,
    truth::Outcome,
};

impl Obeys for Yard {
    fn obey(&self, command: &Command) -> Result<String, SimError> {
        match command {
            Command::Help => return Ok(HELP.to_owned()),
            Command::Stations => return Ok(self.states()),
            Command::Fault(Some(station), fault) => self.fault(*station, *fault)?,
            Command::Fault(None, fault) => self.station_ids().try_for_each(|station| self.fault(station, *fault))?,
            Command::Board(mood) => {
                self.boards.iter().for_each(|board| board.set_mood(*mood));
                self.history.tell("yard", Outcome::Ok, "board", format!("{mood:?}"))?;
            }
            Command::Truck(..) | Command::Leave(_) => {
                return Err(SimError::Usage(
                    "in a yard trucks come by themselves; an indicator alone takes them".to_owned(),
                ));
            }
            Command::Fail(..) | Command::FailNoMore => {
                return Err(SimError::Usage(
                    "this is a yard; the stand-ins of services have control ports of their own".to_owned(),
                ));
            }
            Command::Lay(station, weight) => {
                self.place(*station)?.station.lay(*weight);
                self.history
                    .tell("yard", Outcome::Ok, "lay", format!("station {station}: {weight} kg"))?;
            }
        }
        Ok(String::new())
    }
}

impl Yard {
    /// A line for each station: what it shows, who stands there, what is wrong.
    pub fn states(&self) -> String {
        let lines = self.stations.iter().map(|(id, place)| place.state(*id));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Place {
    fn state(&self, id: i64) -> String {
        let shown = *self.station.shown().borrow();
        let weight = if shown.overload {
            "overload".to_owned()
        } else {
            format!("{} kg", json_number::number(shown.weight))
        };
        let lamp = if shown.stable { "stable" } else { "moving" };
        let plate = self.standing.lock().clone().unwrap_or_else(|| "empty".to_owned());
        let faults = self.station.faults();
        let wrong = if faults == Faults::default() {
            String::new()
        } else {
            format!(" ({faults})")
        };
        format!("{id} {weight} {lamp} {plate}{wrong}")
    }
}
