//! MQTT brokers, over TLS: messages of bridges and of LoRaWAN networks.

use std::path::Path;
use std::time::Duration;

use receiver::{MAX_MESSAGE, Messages};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::{Packet, SubscribeReasonCode};
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, TlsConfiguration, Transport};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::backoff::Backoff;
use super::conversation::Ended;
use super::ear::{Ear, Sifted};
use super::serial::missed;
use super::settings::{Input, Mqtt};

/// A message, its topic and its properties.
const MAX_PACKET: u32 = 20 * 1024;
const KEEP_ALIVE_S: u16 = 30;
/// Packets that wait to be sent: subscriptions.
const WAITING: usize = 64;
/// Certificates and passwords are small.
const MAX_FILE: u64 = 1024 * 1024;
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Hears a broker for ever.
pub(crate) async fn hear(input: &Input, mqtt: &Mqtt, ear: &Ear) {
    let mut backoff = Backoff::new();
    loop {
        match options(mqtt).await {
            Ok(options) => match session(input, mqtt, options, ear, &mut backoff).await {
                Ok(Ended::Unwanted) => return,
                Ok(ended) => {
                    ear.set_open(false);
                    missed(input, ended, ear);
                }
                Err(why) => ear.not_opened(why),
            },
            Err(why) => {
                ear.not_opened(why);
            }
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

async fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    use tokio::io::AsyncReadExt as _;
    let mut bytes = Zeroizing::new(Vec::new());
    let read = async { tokio::fs::File::open(path).await?.take(MAX_FILE).read_to_end(&mut bytes).await };
    match read.await {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("`{}`: {error}", path.display())),
    }
}

/// What the client is to do. Files are read anew for each connection, so that renewed certificates are taken.
async fn options(mqtt: &Mqtt) -> Result<MqttOptions, String> {
    let broker = mqtt.broker()?;
    let mut options = MqttOptions::new(mqtt.client.as_str(), (broker.host, broker.port));
    options.set_keep_alive(KEEP_ALIVE_S);
    options.set_max_packet_size(Some(MAX_PACKET));
    if let (true, Some(ca)) = (broker.tls, &mqtt.ca) {
        let client_auth = match (&mqtt.certificate, &mqtt.key) {
            (Some(certificate), Some(key)) => {
                Some((read(certificate).await?.to_vec(), read(key).await?.to_vec()))
            }
            _ => None,
        };
        let tls = TlsConfiguration::Simple { ca: read(ca).await?.to_vec(), alpn: None, client_auth };
        options.set_transport(Transport::tls_with_config(tls));
    }
    if let Some(user) = &mqtt.user {
        let text = read(user).await?;
        let text = std::str::from_utf8(&text).map_err(|_| format!("`{}` is no text", user.display()))?;
        let mut lines = text.lines();
        let (Some(name), Some(password)) = (lines.next(), lines.next()) else {
            return Err(format!(
                "`{}` must have the user's name on its first line and the password on its second",
                user.display()
            ));
        };
        options.set_credentials(name.to_owned(), password.as_bytes().to_vec());
    }
    Ok(options)
}

/// One connection, from its beginning to its end; an error where it did not begin.
async fn session(
    input: &Input,
    mqtt: &Mqtt,
    options: MqttOptions,
    ear: &Ear,
    backoff: &mut Backoff,
) -> Result<Ended, String> {
    let (client, mut events) =
        AsyncClient::builder(options).capacity(WAITING).try_build().map_err(|e| e.to_string())?;
    let mut open = false;
    let mut messages = Messages::new(mqtt.bridge(), input.frames);
    let silent = input.silent_after().map_or(NEVER, |s| Duration::from_secs(s.into()));
    let mut last = Instant::now();
    loop {
        let packet = match timeout_at(last + silent, next(&mut events)).await {
            Err(_) => return Ok(Ended::Silent),
            Ok(Err(error)) if open => {
                ear.note(format_args!("the connection failed: {}", plain(&error)));
                return Ok(Ended::Gone);
            }
            Ok(Err(error)) => {
                return Err(format!("cannot connect to {}: {}; trying again", mqtt.url, plain(&error)));
            }
            Ok(Ok(packet)) => packet,
        };
        match packet {
            Packet::ConnAck(_) => {
                ear.opened();
                open = true;
                for topic in &mqtt.topics {
                    if let Err(error) = client.subscribe(topic.as_str(), QoS::AtLeastOnce).await {
                        ear.note(format_args!("`{topic}` cannot be subscribed to: {error}"));
                    }
                }
            }
            Packet::SubAck(ack) => {
                for code in ack.return_codes {
                    if matches!(code, SubscribeReasonCode::Success(_)) {
                        ear.count("subscribed", 1);
                        continue;
                    }
                    ear.note(format_args!("the broker does not let this client subscribe: {code:?}"));
                    ear.count("setup-failed", 1);
                }
            }
            Packet::Publish(publish) => {
                last = Instant::now();
                backoff.reset();
                ear.count("bytes", publish.payload.len() as u64);
                if publish.retain {
                    // The broker kept it: nobody knows when it was heard.
                    ear.counters.add("refused.retained", 1);
                    ear.count("refused", 1);
                    continue;
                }
                let mut sifted = Sifted { meter: ear.meter, ..Sifted::new(ear.clock.now(), ear.input) };
                messages.take(&publish.payload, &mut |event| sifted.put(event));
                if !ear.hand_on(sifted).await.goes_on {
                    return Ok(Ended::Unwanted);
                }
            }
            Packet::Disconnect(_) => return Ok(Ended::Gone),
            _ => {}
        }
    }
}

const _: () = assert!(MAX_MESSAGE < MAX_PACKET as usize, "the longest message fits a packet");

async fn next(events: &mut EventLoop) -> Result<Packet, ConnectionError> {
    loop {
        if let Event::Incoming(packet) = events.poll().await? {
            return Ok(packet);
        }
    }
}

/// What went wrong, without what the broker may have put into it.
fn plain(error: &ConnectionError) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(200).collect()
}
