//! Hints and news of accounts, over all instances.

use application::ports::{EventBus, Hint, Hints};
use async_trait::async_trait;
use domain::UserId;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{
    link::Redis,
    news::{News, written},
    outbox,
    subscription::{self, Audience},
};
use crate::{
    cache::{AccountChange, AccountNews},
    events::LocalBus,
};

/// The channel on which everything is told.
pub(super) const CHANNEL: &str = "news";

/// How many changes of accounts a listener may lag behind.
const BACKLOG: usize = 1_024;

/// Hands hints to every listener in this process at once, and to those of other instances through
/// Redis. While Redis is away the others find out by looking for themselves.
pub struct RedisBus {
    redis: Redis,
    me: Uuid,
    ears: Ears,
    outbox: mpsc::Sender<Hint>,
    listening: watch::Receiver<bool>,
    _subscription: AbortOnDropHandle<()>,
}

impl RedisBus {
    /// Begins to tell and to listen. `instance` tells this process from others.
    pub fn start(redis: Redis, instance: Uuid) -> Self {
        let ears = Ears { hints: LocalBus::new(), accounts: broadcast::Sender::new(BACKLOG) };
        let (outbox, waiting) = mpsc::channel(outbox::ROOM);
        let (now_listening, listening) = watch::channel(false);
        let home = redis.home();
        home.spawn(outbox::tell(waiting, redis.clone(), instance));
        let listen = subscription::listen(redis.clone(), instance, ears.clone(), now_listening);
        let subscription = AbortOnDropHandle::new(home.spawn(listen));
        Self { redis, me: instance, ears, outbox, listening, _subscription: subscription }
    }

    /// Whether other instances are heard at this moment, and every change of that.
    pub fn listening(&self) -> watch::Receiver<bool> {
        self.listening.clone()
    }
}

impl EventBus for RedisBus {
    fn publish(&self, hint: Hint) {
        self.ears.hints.publish(hint);
        // One too many is lost, as the port provides.
        let _ = self.outbox.try_send(hint);
    }

    fn subscribe(&self) -> Hints {
        self.ears.hints.subscribe()
    }
}

#[async_trait]
impl AccountNews for RedisBus {
    async fn tell(&self, account: UserId) {
        let message = written(self.me, &[News::Account(account)]);
        // The link has told the log; the others forget the account by themselves in a moment.
        let _ = self.redis.publish(&self.redis.channel(CHANNEL), &message).await;
    }

    fn changes(&self) -> broadcast::Receiver<AccountChange> {
        self.ears.accounts.subscribe()
    }
}

/// Where what others tell arrives.
#[derive(Clone)]
struct Ears {
    hints: LocalBus,
    accounts: broadcast::Sender<AccountChange>,
}

impl Audience for Ears {
    fn hear(&self, news: News) {
        match news {
            News::Hint(hint) => self.hints.publish(hint),
            News::Account(id) => {
                // An error says that nobody listens, which is no failure.
                let _ = self.accounts.send(AccountChange::One(id));
            }
        }
    }

    fn missed(&self) {
        self.hints.publish(Hint::Ready);
        let _ = self.accounts.send(AccountChange::Any);
    }
}
