//! What Fibre Channel fabrics tell, heard as long as somebody wants to know it.

use std::time::Duration;

use libmp::core::event::Event;
use libmp::fabric;
use libmp::types::Errno;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tracing::warn;

use crate::sys::fabric::Messages;

/// A subscription that can't be had is tried again after that: the kernel's part of it may be a module.
const RETRY: Duration = Duration::from_mins(1);

/// The subscription, where there is one.
#[derive(Default)]
pub struct Listener(Option<AbortHandle>);

impl Listener {
    /// From now on messages come as events.
    pub fn start(&mut self, events: &UnboundedSender<Event>) {
        if self.0.is_none() {
            self.0 = Some(tokio::spawn(listen(events.clone())).abort_handle());
        }
    }

    /// From now on none come.
    pub fn stop(&mut self) {
        if let Some(listening) = self.0.take() {
            listening.abort();
        }
    }
}

async fn listen(events: UnboundedSender<Event>) {
    let mut said = false;
    loop {
        match Messages::open().await {
            Ok(messages) => {
                said = false;
                let why = forward(&messages, &events).await;
                warn!("messages of the Fibre Channel fabric: {why}");
            }
            Err(errno) if !said => {
                said = true;
                warn!(
                    "marginal_pathgroups fpin: messages of the Fibre Channel fabric can't be received ({errno}); \
                     tried again every minute"
                );
            }
            Err(_) => {}
        }
        sleep(RETRY).await;
    }
}

async fn forward(messages: &Messages, events: &UnboundedSender<Event>) -> Errno {
    loop {
        match messages.receive().await {
            Ok(datagram) => match fabric::parse(&datagram) {
                Ok(told) => told.into_iter().for_each(|message| drop(events.send(Event::Fabric(message)))),
                Err(why) => warn!("a message of the Fibre Channel fabric is ignored: {why}"),
            },
            Err(Errno::ENOBUFS) => warn!("messages of the Fibre Channel fabric were lost"),
            Err(errno) => return errno,
        }
    }
}
