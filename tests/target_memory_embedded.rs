//! The targets that need no broker, held to the contract of all targets.

#[path = "support/target_contract.rs"]
mod target_contract;

use std::future::Future;

use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::memory::CommitFault;
use mqferry::target::{Claim, Claimed, Memory, Outcome, Refusal, Target, Unit};
use target_contract::{Fixture, contract, key, luwid, publication, queue, record};

fn shown(publication: &Publication) -> (String, String) {
    let Body::Text(text) = &publication.body else { panic!("not a text: {publication:?}") };
    (publication.message_id.clone().unwrap(), text.clone())
}

impl Fixture for Memory {
    type Target = Memory;

    async fn target(&self) -> Memory {
        self.clone()
    }

    async fn published(&self, destination: &Destination, _at_least: usize) -> Vec<(String, String)> {
        self.at(destination).iter().map(shown).collect()
    }

    async fn refused(&self) -> Destination {
        let destination = Destination::Queue("REFUSED".into());
        self.refuse(destination.clone(), Refusal { reason: 2035, text: "not authorised".into() });
        destination
    }

    async fn lose_answer<C: Future<Output = Outcome> + Send>(&self, round: u32, commit: C) -> Option<Outcome> {
        match round % 4 {
            0 => self.fail_commit(CommitFault::RolledBack),
            1 => self.fail_commit(CommitFault::InDoubtNothingKept),
            2 => self.fail_commit(CommitFault::InDoubtAllKept),
            _ => self.lose_lease(&key("DOUBT")),
        }
        Some(commit.await)
    }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract(&Memory::new()).await;
}

#[tokio::test]
async fn memory_wakes_a_holder_that_loses_its_lease() {
    let memory = Memory::new();
    let Claimed::Ours(mut holder) = memory.claim(&key("LOST")).await.unwrap() else { panic!("held") };
    let lose = async {
        tokio::task::yield_now().await;
        memory.lose_lease(&key("LOST"));
    };
    let (error, ()) = tokio::join!(holder.lost(), lose);
    assert!(error.retry && error.text.contains("lease on channel LOST"), "{error:?}");
    let Claimed::Ours(mut second) = memory.claim(&key("LOST")).await.unwrap() else { panic!("held") };
    assert!(holder.begin(luwid(1)).await.is_err(), "the old holder is fenced");
    drop(holder);
    let mut unit = second.begin(luwid(1)).await.unwrap();
    unit.stage(0, publication(&queue("LOST"), 1)).await.unwrap();
    assert!(matches!(unit.commit(record(luwid(1), 1..2)).await, Outcome::Committed), "the new one is not");
}
