//! What the kernel announces goes to udev and to those who poll device-mapper; faults included.

use std::time::Duration;

use libmp::core::event::Event;
use libmp::types::DevT;

use crate::sim::{GIVE_UP, Item, Sim};
use crate::udev::KernelEvent;
use crate::world::dm::{Kind, MAJOR, Table, Target};

impl Sim {
    /// Hands what the kernel announced to udev and to the pollers.
    pub fn flush_signals(&mut self) {
        let disks = std::mem::take(&mut self.world.block_events);
        let maps = std::mem::take(&mut self.world.dm.signals);
        let events = disks
            .into_iter()
            .map(|(a, n)| KernelEvent::Disk(a, n))
            .chain(maps.into_iter().map(KernelEvent::Dm));
        for event in events {
            let latency = self.faults.udev_latency(&mut self.rng);
            let at = self.udev.through_at(self.world.now, event.device(), latency);
            self.queue.push(at, Item::Rules(event));
        }
        if !self.unjudged && !self.handling_errors && self.world.disks.values().any(|d| !d.held.is_empty()) {
            self.handling_errors = true;
            self.after(GIVE_UP, Item::ErrorHandling);
        }
        if self.world.dm.global_event != self.told_event && !self.polled {
            self.told_event = self.world.dm.global_event;
            self.polled = true;
            let delay = self.rng.millis(0..=15);
            self.after(delay, Item::DmPoll);
        }
    }

    pub(crate) fn rules(&mut self, event: &KernelEvent) {
        let Some(message) = self.udev.process(&mut self.world, event) else { return };
        if let KernelEvent::Dm(crate::world::dm::Signal::Changed { minor, cookie_flags, .. }) = event {
            // Rules read from a map that has paths; kpartx follows.
            if cookie_flags & 0x400 == 0 && !self.world.dm.devices.get(minor).is_some_and(|d| d.suspended) {
                self.world.look(*minor);
                if self.partitions && cookie_flags & 0x200 == 0 {
                    self.after(Duration::from_millis(30), Item::Kpartx { minor: *minor });
                }
            }
        }
        let now = self.world.now;
        if self.udev.deaf_until.is_some_and(|until| now < until) {
            return;
        }
        if self.rng.per_mille(self.faults.uevent_lost) {
            self.lose_uevents();
            return;
        }
        let event = Event::Uevent(message);
        let copies = 1 + u32::from(self.rng.per_mille(self.faults.uevent_duplicated));
        for _ in 0..copies {
            let at = self.world.now + self.rng.millis(0..=10);
            let at = self.udev.arrives_at(at);
            self.queue.push(at, Item::Message(Box::new(event.clone())));
        }
    }

    /// The socket overflows: messages are lost for a while, and then it is said.
    pub fn lose_uevents(&mut self) {
        let deaf = self.world.now + self.rng.millis(1..=3000);
        self.udev.deaf_until = Some(deaf);
        let at = self.udev.arrives_at(deaf + Duration::from_micros(1));
        self.queue.push(at, Item::Message(Box::new(Event::UeventsLost)));
    }

    pub(crate) fn kpartx(&mut self, minor: u32) {
        let Some(device) = self.world.dm.devices.get(&minor) else { return };
        let Some(wwid) = device.wwid() else { return };
        let (name, uuid) = (format!("{}-part1", device.name), format!("part1-mpath-{wwid}"));
        if self.world.dm.by_uuid(&uuid).is_some() || self.world.dm.create(&name, &uuid).is_err() {
            return;
        }
        let on = DevT::new(MAJOR, minor);
        let targets = vec![Target { start: 0, sectors: 1024, kind: Kind::Linear { on } }];
        let _ = self.world.dm.load_table(&name, Table { read_only: false, targets });
        let _ = self.world.dm.resume(&name, 0);
    }
}
