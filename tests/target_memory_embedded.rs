//! The targets that need no broker, held to the contract of all targets.

#[path = "support/feed_contract.rs"]
mod feed_contract;
#[path = "support/target_contract.rs"]
mod target_contract;

use std::future::Future;
use std::time::Duration;

use feed_contract::{FeedFixture, feed_contract};
use mqferry::mapping::{Body, Destination, Publication};
use mqferry::target::embedded::Browser;
use mqferry::target::memory::CommitFault;
use mqferry::target::{Claim, Claimed, Embedded, Memory, Outcome, Refusal, Target, Unit};
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
            _ => [key("DOUBT"), feed_contract::key("DEATH")].iter().for_each(|key| self.lose_lease(key)),
        }
        Some(commit.await)
    }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract(&Memory::new()).await;
}

impl FeedFixture for Memory {
    async fn remove_first(&self, queue: &str) {
        assert!(self.remove(&Destination::Queue(queue.into()), |_| true).is_some());
    }
}

impl FeedFixture for Embedded {
    async fn remove_first(&self, queue: &str) {
        let outlets = [mqferry::target::Outlet::Queue(queue.into())];
        let mut taker = feed_contract::feed(self, self, "REMOVE", &outlets, 1).await;
        let retire = vec![feed_contract::take(&mut taker, 1).await[0].ticket];
        let step = mqferry::target::Step { retire, ..Default::default() };
        assert!(matches!(mqferry::target::Feed::commit(&mut taker, step).await, Outcome::Committed));
    }
}

#[tokio::test]
async fn embedded_keeps_the_contract_of_feeds() {
    let dir = tempfile::tempdir().unwrap();
    feed_contract(&Embedded::open(dir.path()).await.unwrap()).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_feeds() {
    feed_contract(&Memory::new()).await;
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

impl Fixture for Embedded {
    type Target = Embedded;

    async fn target(&self) -> Embedded {
        self.clone()
    }

    async fn published(&self, destination: &Destination, _at_least: usize) -> Vec<(String, String)> {
        self.browser().messages(destination).map(|stored| shown(&stored.unwrap().publication)).collect()
    }

    async fn refused(&self) -> Destination {
        Destination::TempQueue("somebody:1:1".into())
    }

    /// The commit is given up on after some polls; whatever is on its way then goes on alone.
    async fn lose_answer<C: Future<Output = Outcome> + Send>(&self, round: u32, commit: C) -> Option<Outcome> {
        tokio::time::timeout(Duration::from_micros(150) * (round % 16), commit).await.ok()
    }

    fn rounds(&self) -> u32 {
        48
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract(&Embedded::open(dir.path()).await.unwrap()).await;
}

/// On one thread, too: nothing may block the runtime.
#[tokio::test]
async fn embedded_keeps_the_contract_on_one_thread() {
    let dir = tempfile::tempdir().unwrap();
    contract(&Embedded::open(dir.path()).await.unwrap()).await;
}

#[tokio::test]
async fn embedded_store_is_there_after_it_was_closed_and_reads_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    {
        let embedded = Embedded::open(dir.path()).await.unwrap();
        let Claimed::Ours(mut holder) = embedded.claim(&key("PAGES")).await.unwrap() else { panic!("held") };
        for batch in 0..7 {
            let mut unit = holder.begin(luwid(batch)).await.unwrap();
            for number in 0..100 {
                unit.stage(0, publication(&queue("PAGES"), batch * 100 + number + 1)).await.unwrap();
            }
            let topic = Destination::Topic("CONTRACT.PAGES".into());
            unit.stage(0, publication(&topic, batch + 1)).await.unwrap();
            assert!(matches!(unit.commit(record(luwid(batch), 1..2)).await, Outcome::Committed));
        }
        holder.release().await;
    }
    let browser = Browser::open(dir.path()).unwrap();
    let found: Vec<_> =
        browser.destinations().unwrap().into_iter().map(|it| (it.destination.to_string(), it.messages)).collect();
    assert_eq!(found, [("queue://CONTRACT.PAGES".to_owned(), 700), ("topic://CONTRACT.PAGES".to_owned(), 7)]);
    let all: Vec<_> = browser.messages(&queue("PAGES")).map(Result::unwrap).collect();
    assert_eq!(all.iter().map(|it| it.place).collect::<Vec<_>>(), (1..=700).collect::<Vec<_>>());
    let wanted: Vec<_> = (1..=700).map(|number| publication(&queue("PAGES"), number)).collect();
    assert_eq!(all.into_iter().map(|it| it.publication).collect::<Vec<_>>(), wanted, "every field reads back");
    assert_eq!(browser.page(&queue("PAGES"), 699).unwrap().len(), 1, "a cursor goes on behind its place");
    assert_eq!(browser.page(&queue("PAGES"), u64::MAX).unwrap(), []);
    assert_eq!(browser.page(&queue("NOBODY"), 0).unwrap(), []);
    let channels = browser.channels().unwrap();
    assert_eq!((channels.len(), &channels[0].key, channels[0].epoch), (1, &key("PAGES"), 1));
}

#[tokio::test]
async fn embedded_says_in_one_line_what_is_wrong_with_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let says = |error: mqferry::target::TargetError| {
        assert!(error.text.contains(&path) && !error.text.contains('\n'), "{}", error.text);
        (error.text, error.retry)
    };

    let (text, retry) = says(Browser::open(dir.path()).unwrap_err());
    assert!(text.contains("holds no store") && !retry, "{text}");

    let open = Embedded::open(dir.path()).await.unwrap();
    for error in [Embedded::open(dir.path()).await.unwrap_err(), Browser::open(dir.path()).unwrap_err()] {
        let (text, retry) = says(error);
        assert!(text.contains("held by another") && retry, "{text}");
    }
    drop(open);
    Browser::open(dir.path()).expect("free again");

    let file = dir.path().join("mqferry.redb");
    std::fs::write(&file, b"this is no database, but somebody's letter").unwrap();
    let (text, retry) = says(Embedded::open(dir.path()).await.unwrap_err());
    assert!(text.contains("no store of mqferry, or it is damaged") && !retry, "{text}");

    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    says(Embedded::open(dir.path()).await.unwrap_err());

    let below_a_file = dir.path().join("plain");
    std::fs::write(&below_a_file, b"").unwrap();
    says(Embedded::open(below_a_file.join("store")).await.unwrap_err());
}
