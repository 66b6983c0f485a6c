//! What the fuzzers call. Each target takes any bytes and panics when a parser breaks a promise: no parser may
//! panic, and what two parsers say about one frame has to agree.
//!
//! `cargo xtask fuzz` drives them by coverage, for long runs; the `smoke` program of this package mutates their seeds and
//! what long runs have kept for a while, which is what the build server does.

mod access;
pub mod corpus;
mod dlms;
mod envelopes;
mod keys;
mod logins;
mod logs;
mod messages;
mod mutate;
mod receivers;
mod registers;
mod telegrams;

pub use mutate::Mutator;

/// A parser, what is asked of it, and inputs to start from.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, also of the libFuzzer program.
    pub name: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]),
    /// Inputs that get far.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// Its seeds and what long runs have kept.
    ///
    /// # Errors
    /// As [`corpus::kept`].
    pub fn starts(&self) -> std::io::Result<Vec<Vec<u8>>> {
        let mut inputs = (self.seeds)();
        inputs.extend(corpus::kept(self.name)?);
        Ok(inputs)
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "receiver_lines", run: receivers::lines, seeds: receivers::some_lines },
    Target { name: "receiver_imst871", run: receivers::imst871, seeds: receivers::some_imst871 },
    Target { name: "receiver_imst891", run: receivers::imst891, seeds: receivers::some_imst891 },
    Target { name: "receiver_amber", run: receivers::amber, seeds: receivers::some_amber },
    Target { name: "receiver_cul", run: receivers::cul, seeds: receivers::some_cul },
    Target { name: "receiver_rc1180", run: receivers::rc1180, seeds: receivers::some_rc1180 },
    Target { name: "receiver_raw", run: receivers::raw, seeds: receivers::some_raw },
    Target { name: "receiver_mbus", run: receivers::mbus, seeds: receivers::some_mbus },
    Target { name: "receiver_han", run: receivers::han, seeds: receivers::some_han },
    Target { name: "receiver_bridge", run: receivers::bridge, seeds: receivers::some_messages },
    Target { name: "frame_strip", run: telegrams::strip, seeds: telegrams::heard },
    Target { name: "layers_records", run: telegrams::records, seeds: telegrams::decoded },
    Target { name: "fragments", run: telegrams::fragments, seeds: telegrams::fragmented },
    Target { name: "layouts", run: telegrams::layouts, seeds: telegrams::exported_layouts },
    Target { name: "security_header", run: telegrams::security_header, seeds: telegrams::secured },
    Target { name: "hdlc_stream", run: dlms::stream, seeds: dlms::streams },
    Target { name: "dlms_unit", run: dlms::unit, seeds: dlms::ciphered },
    Target { name: "push_list", run: dlms::list, seeds: dlms::lists },
    Target { name: "key_file", run: keys::file, seeds: keys::files },
    Target { name: "key_list", run: keys::list, seeds: keys::lists },
    Target { name: "key_workbook", run: keys::workbook, seeds: keys::workbooks },
    Target { name: "register_list", run: registers::list, seeds: registers::lists },
    Target { name: "key_document", run: keys::document, seeds: keys::documents },
    Target { name: "envelope_cms", run: envelopes::cms, seeds: envelopes::cms_containers },
    Target { name: "envelope_age", run: envelopes::age, seeds: envelopes::age_containers },
    Target { name: "officer_act", run: messages::act, seeds: messages::acts },
    Target { name: "roles_file", run: access::roles, seeds: access::role_files },
    Target { name: "approval", run: access::approval, seeds: access::approvals },
    Target { name: "sign_in_answer", run: logins::answer, seeds: logins::answers },
    Target { name: "sign_in_record", run: logins::record, seeds: logins::records },
    Target { name: "log_note", run: logs::note, seeds: logs::notes },
    Target { name: "log_request", run: logs::request, seeds: logs::requests },
    Target { name: "log_proof", run: logs::proof, seeds: logs::proofs },
    Target { name: "log_tiles", run: logs::tiles, seeds: logs::some_tiles },
    Target { name: "call", run: messages::call, seeds: messages::calls },
    Target { name: "batch", run: messages::batch, seeds: messages::batches },
    Target { name: "messages", run: messages::all, seeds: messages::batches },
    Target { name: "event", run: messages::event, seeds: messages::events },
];

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every seed and kept input, and a few thousand mutations of each target's, on every test run.
    #[test]
    fn no_target_panics_on_its_seeds_or_near_them() {
        for target in TARGETS {
            assert!(!(target.seeds)().is_empty(), "{} has no seed", target.name);
            let seeds = target.starts().unwrap();
            seeds.iter().for_each(|seed| (target.run)(seed));
            (target.run)(&[]);
            let mut mutator = Mutator::new(7, seeds);
            for _ in 0..2000 {
                (target.run)(mutator.input());
            }
        }
    }
}
