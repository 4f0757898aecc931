//! Where a server spends its time in the database, by its own `/metrics`.

use std::collections::BTreeMap;

use anyhow::Context;
use weighbridge_sim::http::client;

use crate::figures::Figure;

/// What each query has taken so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queries(BTreeMap<String, Took>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Took {
    seconds: f64,
    runs: f64,
}

const METRIC: &str = "database_query_seconds";
/// How many of the dearest are shown.
const SHOWN: usize = 6;

impl Queries {
    /// Asks the server at `url`.
    pub async fn of(url: &str) -> anyhow::Result<Self> {
        let text = client()
            .build()?
            .get(format!("{url}/metrics"))
            .send()
            .await?
            .error_for_status()?
            .text()
            .await;
        Ok(Self::parse(&text.context("cannot read the server's metrics")?))
    }

    fn parse(text: &str) -> Self {
        let mut queries = Self::default();
        for line in text.lines() {
            let Some((part, rest)) = line.strip_prefix(METRIC).and_then(|line| line.split_once("{query=\"")) else {
                continue;
            };
            let Some((name, value)) = rest.split_once("\"} ") else {
                continue;
            };
            let took = queries.0.entry(name.to_owned()).or_default();
            let value = value.trim().parse().unwrap_or_default();
            match part {
                "_sum" => took.seconds = value,
                "_count" => took.runs = value,
                _ => {}
            }
        }
        queries
    }

    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let took = |(name, took): (&String, &Took)| {
            let before = before.0.get(name).copied().unwrap_or_default();
            let took = Took {
                seconds: took.seconds - before.seconds,
                runs: took.runs - before.runs,
            };
            (name.clone(), took)
        };
        Self(self.0.iter().map(took).collect())
    }

    /// The dearest queries, as microseconds for each of `count` weighings or events.
    pub fn figures(&self, count: f64) -> Vec<Figure> {
        let mut dearest: Vec<_> = self.0.iter().collect();
        dearest.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
        let figure = |(name, took): (&String, &Took)| {
            let name = format!("in the database: {name}, {} runs", took.runs);
            Figure::new(name, took.seconds * 1e6 / count, "µs each")
        };
        dearest.into_iter().take(SHOWN).map(figure).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# TYPE database_query_seconds summary\ndatabase_query_seconds{query=\"Line\",quantile=\"0.5\"} 9\n\
        database_query_seconds_sum{query=\"Line\"} 1.5\ndatabase_query_seconds_count{query=\"Line\"} 10\n\
        database_queries_total{query=\"Line\",result=\"ok\"} 10\n";
    const AFTER: &str = "database_query_seconds_sum{query=\"Line\"} 2.5\ndatabase_query_seconds_count{query=\"Line\"} 14\n\
        database_query_seconds_sum{query=\"StoreEvents\"} 3\ndatabase_query_seconds_count{query=\"StoreEvents\"} 2\n";

    #[test]
    fn the_dearest_query_of_the_time_between_comes_first() {
        let between = Queries::parse(AFTER).since(&Queries::parse(BEFORE));
        let shown: Vec<_> = between
            .figures(10.0)
            .iter()
            .map(|figure| (figure.name.clone(), figure.value))
            .collect();
        let expected = [
            ("in the database: StoreEvents, 2 runs".to_owned(), 300_000.0),
            ("in the database: Line, 4 runs".to_owned(), 100_000.0),
        ];
        assert_eq!(shown, expected);
    }
}
