//! Serial ports: opened, talked with, and opened again when they are gone or silent.

use std::path::Path;

use receiver::Parity;
use tokio_serial::SerialPortBuilderExt as _;

use super::backoff::Backoff;
use super::conversation::{Ended, talk};
use super::ear::Ear;
use super::settings::Input;

fn open(input: &Input, path: &Path) -> tokio_serial::Result<tokio_serial::SerialStream> {
    let line = input.line();
    let parity = match line.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    };
    tokio_serial::new(path.to_string_lossy(), line.baud)
        .data_bits(tokio_serial::DataBits::Eight)
        .stop_bits(tokio_serial::StopBits::One)
        .flow_control(tokio_serial::FlowControl::None)
        .parity(parity)
        .open_native_async()
}

/// Hears a serial port for ever.
pub(crate) async fn hear(input: &Input, path: &Path, ear: &Ear) {
    let mut backoff = Backoff::new();
    loop {
        match open(input, path) {
            Ok(port) => {
                ear.opened();
                let heard = ear.counters.get(&format!("input.{}.heard", ear.name));
                let ended = talk(input, port, ear).await;
                ear.set_open(false);
                if ended == Ended::Unwanted {
                    return;
                }
                missed(input, ended, ear);
                if ear.counters.get(&format!("input.{}.heard", ear.name)) > heard {
                    backoff.reset();
                }
            }
            Err(error) => {
                ear.not_opened(format_args!("`{}` cannot be opened: {error}; trying again", path.display()));
            }
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Says that a receiver is gone or silent.
pub(crate) fn missed(input: &Input, ended: Ended, ear: &Ear) {
    match ended {
        Ended::Gone => {
            ear.note(format_args!("{} is gone; opening it again", input.from));
            ear.count("gone", 1);
        }
        Ended::Silent => {
            let seconds = input.silent_after().unwrap_or_default();
            ear.note(format_args!("{} has said nothing for {seconds} s; opening it again", input.from));
            ear.count("silent", 1);
        }
        Ended::Unwanted => {}
    }
}
