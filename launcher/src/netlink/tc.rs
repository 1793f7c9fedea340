//! Traffic control: limits how much an interface sends (tc(8), linux/pkt_sched.h).

use super::{Attributes, CREATE, EXCLUSIVE, Message, Socket};
use crate::sys::Result as SysResult;

const NEW_QUEUE: u16 = 36;

impl Socket {
    /// Has an interface send this many bytes a second at most, by a token bucket (tc-tbf(8)).
    /// ENOENT: the kernel has none.
    pub fn limit_rate(&mut self, index: u32, rate: u64) -> SysResult<()> {
        /// The bucket: more than the largest packet, which would be dropped otherwise, and as much
        /// as passes in 10 ms, so that a late timer costs nothing.
        const BURST: std::ops::RangeInclusive<u64> = 128 << 10..=1 << 30;
        const KIND: u16 = 1;
        const OPTIONS: u16 = 2;
        // TCA_TBF_*. With a burst in bytes the kernel needs no table of how long each size takes.
        const PARAMETERS: u16 = 1;
        const RATE: u16 = 4;
        const BURST_BYTES: u16 = 6;
        let burst = rate.saturating_div(100).clamp(*BURST.start(), *BURST.end()) as u32;
        // struct tcmsg: the interface, and TC_H_ROOT as what it is below.
        let root = words(&[0, index, 0, u32::MAX, 0]);
        // struct tc_tbf_qopt: struct tc_ratespec, here only what is measured (TC_LINKLAYER_ETHERNET);
        // one for peaks; how many bytes may wait, and three that others stand for.
        let ethernet = u32::from_ne_bytes([0, 1, 0, 0]);
        let parameters = words(&[ethernet, 0, 0, 0, 0, 0, burst, 0, 0]);
        let options = Attributes::new()
            .with(PARAMETERS, &parameters)
            .with(RATE, &rate.to_ne_bytes())
            .with_u32(BURST_BYTES, burst);
        let attributes = Attributes::new().with(KIND, b"tbf").with_nested(OPTIONS, &options);
        self.request(Message::new(NEW_QUEUE, CREATE | EXCLUSIVE, &root, &attributes))
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
