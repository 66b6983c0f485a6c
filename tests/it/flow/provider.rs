//! Signing in at the utility's own provider, with the command between it and the warden: how it goes, and how it does not.

use std::time::{Duration, Instant};

use base::UtcMillis;
use house_tests::house::Said;
use login::totp::code_at;
use serde_json::json;

use super::login::{Owner, PASSWORD};
use crate::custody::{log_says, words};
use crate::provider::{CLIENT, Fault, Provider, Reply, SUBJECT};

fn states() -> Reply {
    Reply::States(json!({}))
}

/// The owner of a house, who has a password, a generator, codes on paper, and is somebody at the provider.
struct Desk {
    owner: Owner,
    provider: Provider,
    paper: Vec<String>,
    used: usize,
}

impl Desk {
    fn new() -> Self {
        let owner = Owner::new();
        let provider = Provider::new(&owner.folder);
        let me = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
        let said = owner.command("login invite", &[&me]).good();
        let invitation = said.out.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
        let (secret, paper) = owner.enrol(&invitation);
        let mut desk = Self { owner, provider, paper, used: 0 };
        let _ =
            desk.provider_command("set", &["--issuer", &desk.provider.address, "--client", CLIENT]).good();
        // to say who one is there takes two factors, minutes ago
        desk.owner.refused("login provider link", &[&me, SUBJECT], "sign in again with two factors");
        let password = desk.owner.file("password", PASSWORD);
        let code = code_at(&secret, UtcMillis::now().plus(30_000)).unwrap();
        let code = desk.owner.file("code-now", &code);
        let _ = desk.owner.command("login", &["--password-file", &password, "--code-file", &code]).good();
        let paper = desk.on_paper();
        let again = ["--again", "--password-file", &password, "--recovery-file", &paper];
        let _ = desk.owner.command("login", &again).good();
        let linked = desk.owner.command("login provider link", &[&me, SUBJECT]).good();
        assert!(linked.out.contains(&format!("`{me}` is `{SUBJECT}` at `{}`", desk.provider.address)));
        let _ = desk.owner.command("logout", &[]).good();
        desk
    }

    fn ca(&self) -> String {
        self.provider.ca.display().to_string()
    }

    fn provider_command(&self, command: &str, arguments: &[&str]) -> Said {
        let ca = self.ca();
        let all = [arguments, &["--ca", &ca]].concat();
        self.owner.command(&format!("login provider {command}"), &all)
    }

    /// The next code on paper.
    fn on_paper(&mut self) -> String {
        let file = self.owner.file("on-paper", &self.paper[self.used]);
        self.used += 1;
        file
    }

    /// Signs in at the provider, which answers these; a code from paper beside it, which only a good statement uses up.
    fn signs_in(&mut self, replies: impl IntoIterator<Item = Reply>) -> Said {
        self.provider.answers(replies);
        let file = self.on_paper();
        let said = self.owner.command("login", &["--provider", "--ca", &self.ca(), "--recovery-file", &file]);
        if said.code != Some(0) {
            self.used -= 1;
        }
        said
    }

    fn fails(&mut self, replies: impl IntoIterator<Item = Reply>, because: &str) {
        let said = self.signs_in(replies);
        assert!(said.code == Some(1) && words(&said.err).contains(because), "`{because}`: {said:?}");
    }
}

#[test]
fn who_types_the_code_at_the_provider_is_signed_in_with_something_held_beside_it_and_once() {
    let mut desk = Desk::new();
    let began = Instant::now();
    let said = desk.signs_in([Reply::Error("authorization_pending"), Reply::Error("slow_down"), states()]);
    let said = said.good();
    assert!(said.out.contains(&format!("open {}/type and type WDJB-MJHT there", desk.provider.address)));
    assert!(said.out.contains("is signed in, multi-factor, until"), "{said:?}");
    assert!(began.elapsed() >= Duration::from_secs(8), "it asks five seconds later once it is told to");
    let session = desk.owner.shown()["sessions"][0].clone();
    assert_eq!(session["by"], "provider recovery-code");
    assert_eq!(desk.owner.shown()["ways"][0]["provider"], format!("{} {SUBJECT}", desk.provider.address));
    let forms = desk.provider.posted("/token");
    assert!(forms.iter().all(|form| form.contains("device_code=only-the-house-has-it")), "{forms:?}");
    assert!(desk.provider.posted("/device")[0].contains("client_id=meterkeep"));
    let shown = desk.owner.command("login provider show --format json", &[]).good().json();
    assert_eq!((&shown["client"], &shown["keys"][0]), (&CLIENT.into(), &"first".into()));

    // the same statement again is none, and one factor lets nobody in
    desk.fails([Reply::StatesAgain], "the sign-in is refused");
    assert!(log_says(&desk.owner.house, "replayed-statement"));
    let password = ["--provider", "--password-file", "x"];
    assert_eq!(desk.owner.command("login", &password).code, Some(2), "a password is known as well");
    for line in ["set-provider", "provider recovery-code"] {
        assert!(log_says(&desk.owner.house, line), "`{line}` is not in the log");
    }
    assert!(!log_says(&desk.owner.house, "only-the-house-has-it"));
}

#[test]
fn what_the_provider_states_falsely_lets_nobody_in_and_new_keys_are_fetched_by_an_administrator() {
    let mut desk = Desk::new();
    let now = UtcMillis::now().0.div_euclid(1000);
    for (lie, reason) in [
        (json!({"iss": "https://evil.example.org"}), "wrong-issuer"),
        (json!({"aud": "another-client"}), "wrong-audience"),
        (json!({"exp": now - 120, "iat": now - 200}), "expired"),
    ] {
        desk.fails([Reply::States(lie)], "the sign-in is refused");
        assert!(log_says(&desk.owner.house, reason), "`{reason}` is not in the log");
    }
    // three failures are free; the next one waits a second, which asking the provider takes
    let _ = desk.signs_in([Reply::Error("authorization_pending"), states()]).good();
    // a clock that is fast by half a minute is right enough, by ten minutes it is not
    let ahead = |s: i64| Reply::States(json!({"iat": UtcMillis::now().0.div_euclid(1000) + s}));
    let _ = desk.signs_in([ahead(30)]).good();
    desk.fails([ahead(600)], "the sign-in is refused");

    desk.provider.changes_keys();
    let later = || Reply::States(json!({"iat": UtcMillis::now().0.div_euclid(1000) + 45}));
    desk.fails([later()], "meterkeep login provider refresh");
    let refreshed = desk.provider_command("refresh", &[]).good();
    assert!(refreshed.out.contains("its keys: second"), "{refreshed:?}");
    let _ = desk.signs_in([later()]).good();
    let _ = desk.owner.command("login provider end", &[]).good();
    desk.fails([states()], "no provider with a device flow");
}

#[test]
fn a_provider_that_is_down_slow_elsewhere_or_says_no_is_told_apart_and_other_ways_work() {
    let mut desk = Desk::new();
    for (replies, because) in [
        (vec![Reply::Error("access_denied")], "refused at the provider"),
        (vec![Reply::Error("expired_token")], "nobody typed the code in time"),
        (vec![Reply::Error("invalid_client")], "the provider refuses: invalid_client"),
    ] {
        desk.fails(replies, because);
    }
    // it may fail in between
    let _ = desk.signs_in([Reply::Status(503), states()]).good();
    for (fault, because) in [
        (Fault::Redirect, "sends elsewhere"),
        (Fault::Bytes(5 << 20), "more than 64 KiB"),
        (Fault::Bytes(10), "gives no code to type"),
        (Fault::Late(Duration::from_secs(60)), "does not answer within 15 s"),
    ] {
        desk.provider.fails("/device", fault);
        desk.fails([], because);
        desk.provider.is_well();
    }
    let set = |desk: &Desk, arguments: &[&str], because: &str| {
        let said = desk.provider_command("set", &[arguments, &["--client", CLIENT]].concat());
        assert!(said.code == Some(1) && words(&said.err).contains(because), "`{because}`: {said:?}");
    };
    let address = desk.provider.address.clone();
    for (fault, because) in [
        (Fault::Redirect, "sends elsewhere"),
        (Fault::Bytes(5 << 20), "more than 64 KiB"),
        (Fault::Bytes(10), "does not read"),
    ] {
        desk.provider.fails("/.well-known/openid-configuration", fault);
        set(&desk, &["--issuer", &address], because);
        desk.provider.is_well();
    }
    set(&desk, &["--issuer", &address.replace("https", "http")], "is no `https` address");
    set(&desk, &["--issuer", &format!("{address}/tenant")], "status 404");
    // from files, for a machine that does not reach the provider
    let mut about = desk.provider.description();
    let keys = desk.owner.file("keys.json", &desk.provider.keys().to_string());
    let files = |desk: &Desk, about: &serde_json::Value| {
        let file = desk.owner.file("about.json", &about.to_string());
        vec![
            "--issuer".to_owned(),
            address.clone(),
            "--description".to_owned(),
            file,
            "--keys".to_owned(),
            keys.clone(),
        ]
    };
    let good = files(&desk, &about);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    let _ = desk.provider_command("set", &[&good[..], &["--client", CLIENT]].concat()).good();
    about["token_endpoint"] = json!("http://localhost/token");
    let bad = files(&desk, &about);
    set(&desk, &bad.iter().map(String::as_str).collect::<Vec<_>>(), "is no `https` address");
    // who certified it the machine does not know
    let paper = desk.on_paper();
    let unknown = desk.owner.command("login", &["--provider", "--recovery-file", &paper]);
    assert!(unknown.code == Some(1) && words(&unknown.err).contains("--ca FILE"), "{unknown:?}");
    let Desk { owner, provider, .. } = desk;
    let ca = provider.ca.display().to_string();
    drop(provider);
    owner.refused("login", &["--provider", "--ca", &ca, "--recovery-file", &paper], "cannot reach");
    let password = owner.file("password", PASSWORD);
    let _ = owner.command("login", &["--password-file", &password, "--recovery-file", &paper]).good();
}
