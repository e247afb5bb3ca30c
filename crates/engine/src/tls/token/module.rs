//! PKCS#11: an opened token, the search for a key in it, and signatures.
//!
//! A token is slow and may be away; everything here blocks, and is called by helpers or before there are workers.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use plan::token::Token as Plan;
use rustls::SignatureScheme;

use super::key::{self, Kind, PROBE, PublicKey, Schemes};
use crate::limits;

/// Why a token, or a key in it, cannot be used.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// What is wrong and what to do, as the end of a sentence.
    pub(super) text: String,
    pub(super) cure: Cure,
    /// The session or the device has surely gone, so that nothing else can be asked in it.
    gone: bool,
}

/// What could be done about it without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cure {
    /// To begin again from the start: the session has ended, the device has gone or has come back.
    BeginAgain,
    /// Nothing, and trying on does harm: a token locks itself after a few wrong PINs.
    StayAway,
    /// To sign in another way: the token is there, and does not do this one.
    OtherScheme,
    /// Nothing.
    None,
}

impl Problem {
    pub(super) fn new(text: impl Into<String>) -> Problem {
        Problem { text: text.into(), cure: Cure::None, gone: false }
    }

    /// What a call of the module has said.
    fn of(what: &str, error: &Error) -> Problem {
        let (cure, gone) = match error {
            Error::Pkcs11(code, _) => (cure(*code), is_gone(*code)),
            _ => (Cure::None, false),
        };
        Problem { text: format!("{what} fails with {}", Code(error)), cure, gone }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn cure(code: RvError) -> Cure {
    match code {
        RvError::PinIncorrect
        | RvError::PinInvalid
        | RvError::PinLenRange
        | RvError::PinExpired
        | RvError::PinLocked => Cure::StayAway,
        // These say that the token is there and will not do this.
        RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::DataInvalid
        | RvError::DataLenRange
        | RvError::ArgumentsBad
        | RvError::FunctionNotSupported => Cure::OtherScheme,
        RvError::KeyFunctionNotPermitted | RvError::KeyTypeInconsistent | RvError::KeySizeRange => Cure::None,
        // Modules do not agree on what they say when a session or a device has gone.
        _ => Cure::BeginAgain,
    }
}

fn is_gone(code: RvError) -> bool {
    matches!(
        code,
        RvError::CryptokiNotInitialized
            | RvError::DeviceError
            | RvError::DeviceMemory
            | RvError::DeviceRemoved
            | RvError::SessionClosed
            | RvError::SessionHandleInvalid
            | RvError::SlotIdInvalid
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::UserNotLoggedIn
    )
}

/// The name of what went wrong as the standard has it, which is what one can look up: `CKR_PIN_INCORRECT`.
struct Code<'a>(&'a Error);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error::Pkcs11(code, _) = self.0 else { return self.0.fmt(f) };
        f.write_str("CKR")?;
        for letter in format!("{code:?}").chars() {
            if letter.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_uppercase())?;
        }
        Ok(())
    }
}

/// A module that is loaded. It stays so for as long as the process lives, since a jail may hide its file.
pub(super) struct Module {
    functions: Pkcs11,
    /// Whether someone else in this process had begun it before us, such as a library that we do not know of. Then it is
    /// not ours to end.
    foreign: OnceLock<bool>,
}

impl Module {
    pub(super) fn load(plan: &Plan) -> Result<Module, Problem> {
        let loaded = Pkcs11::new(&plan.module).map_err(|error| {
            let module = plan.module.display();
            Problem::new(match error {
                Error::LibraryLoading(error) => {
                    format!("the PKCS#11 module {module} cannot be loaded: {error}; correct module-path")
                }
                Error::MissingSymbol(_) | Error::NullFunctionPointer => {
                    format!("{module} is no PKCS#11 module; correct module-path")
                }
                error => format!("the PKCS#11 module {module} is of no use: {}", Code(&error)),
            })
        });
        Ok(Module { functions: loaded?, foreign: OnceLock::new() })
    }

    fn begin(&self) -> Result<(), Problem> {
        let foreign = match self.functions.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) => false,
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => true,
            Err(error) => return Err(Problem::of("C_Initialize", &error)),
        };
        // The first time counts: later it may be we ourselves who could not end it.
        self.foreign.get_or_init(|| foreign);
        Ok(())
    }

    fn end(&self) {
        if self.foreign.get() == Some(&false) {
            // Whether it can be begun again, the next try will show.
            let _ = self.functions.clone().finalize();
        }
    }
}

/// A token that is open for us.
pub(super) struct Opened {
    module: Arc<Module>,
    slot: Slot,
    /// Those that nobody signs with just now. There are never more than helpers.
    desks: Mutex<Vec<Desk>>,
    /// How keys sign that were found, by public key.
    schemes: Mutex<HashMap<Box<[u8]>, Schemes>>,
    /// The one that has logged in. As long as it is there, all of them are.
    login: Mutex<Session>,
}

/// A session and what was found in it.
struct Desk {
    session: Session,
    /// By public key.
    keys: HashMap<Box<[u8]>, ObjectHandle>,
}

impl Opened {
    /// Finds the token and logs in.
    pub(super) fn new(module: &Arc<Module>, plan: &Plan, pin: Option<&AuthPin>) -> Result<Opened, Problem> {
        module.begin()?;
        let opened = find_slot(&module.functions, plan).and_then(|(slot, info)| {
            let session = session(module, slot)?;
            log_in(&session, plan, &info, pin)?;
            Ok(Opened {
                module: module.clone(),
                slot,
                desks: Mutex::default(),
                schemes: Mutex::default(),
                login: Mutex::new(session),
            })
        });
        if opened.is_err() {
            // So that the next try sees what there is then.
            module.end();
        }
        opened
    }

    /// Ends all sessions and lets go of the token. Nobody may be using it.
    pub(super) fn close(self) {
        let Opened { module, desks, login, .. } = self;
        // Whatever these say: what is gone need not be closed.
        drop(desks);
        drop(login);
        module.end();
    }

    /// Whether the key is there and signs; and how it does.
    pub(super) fn check(&self, plan: &Plan, key: &PublicKey) -> Result<Schemes, Problem> {
        let mut desk = self.desk()?;
        let (_, schemes) = self.find(&mut desk, plan, key)?;
        self.give_back(desk);
        Ok(schemes)
    }

    /// Signs a message.
    pub(super) fn sign(
        &self,
        plan: &Plan,
        key: &PublicKey,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<(Vec<u8>, Schemes), Problem> {
        let mut desk = self.desk()?;
        let (handle, schemes) = self.find(&mut desk, plan, key)?;
        // A session in which something went wrong is not used again.
        let signature = desk.sign(key, handle, scheme, message)?;
        self.give_back(desk);
        Ok((signature, schemes))
    }

    fn desk(&self) -> Result<Desk, Problem> {
        if let Some(desk) = lock(&self.desks).pop() {
            return Ok(desk);
        }
        Ok(Desk { session: session(&self.module, self.slot)?, keys: HashMap::new() })
    }

    fn give_back(&self, desk: Desk) {
        lock(&self.desks).push(desk);
    }

    /// The private key that belongs to a public one, and how it signs; proved by signatures.
    fn find(
        &self,
        desk: &mut Desk,
        plan: &Plan,
        key: &PublicKey,
    ) -> Result<(ObjectHandle, Schemes), Problem> {
        let known = lock(&self.schemes).get(key.bits()).copied();
        if let (Some(&handle), Some(schemes)) = (desk.keys.get(key.bits()), known) {
            return Ok((handle, schemes));
        }
        let candidates = desk.candidates(plan, key)?;
        let mut refused = None;
        for &handle in &candidates.handles {
            match self.prove(desk, handle, key, known) {
                Ok(Some(schemes)) => {
                    let mut all = lock(&self.schemes);
                    if all.len() >= limits::CERTIFICATES {
                        all.clear();
                    }
                    all.insert(key.bits().into(), schemes);
                    drop(all);
                    if desk.keys.len() >= limits::CERTIFICATES {
                        desk.keys.clear();
                    }
                    desk.keys.insert(key.bits().into(), handle);
                    return Ok((handle, schemes));
                }
                Ok(None) => {}
                Err(problem) if problem.gone => return Err(problem),
                Err(problem) => refused = refused.or(Some(problem)),
            }
        }
        // One that could be it and does not sign says more than that it is not there.
        Err(refused.unwrap_or_else(|| candidates.none_fits(plan, key)))
    }

    /// How a private key signs, if it belongs to a public one. If that is known already, only whether it belongs to it.
    ///
    /// Some tokens have no PSS, others forbid PKCS #1 v1.5: what does not work is not offered to anybody.
    fn prove(
        &self,
        desk: &mut Desk,
        handle: ObjectHandle,
        key: &PublicKey,
        known: Option<Schemes>,
    ) -> Result<Option<Schemes>, Problem> {
        let mut schemes = Schemes::default();
        let mut refused = None;
        for scheme in key.probes() {
            if known.is_some_and(|known| !known.contain(key, scheme)) {
                continue;
            }
            match desk.sign(key, handle, scheme, PROBE) {
                Ok(signature) if key.verifies_probe(scheme, &signature) => schemes.add(key, scheme),
                // It is for another certificate; if it has shown before that it is not, it does not do this one rightly.
                Ok(_) if schemes.is_empty() => return Ok(None),
                Ok(_) => {}
                Err(problem) if problem.gone => return Err(problem),
                Err(problem) => {
                    refused = refused.or(Some(problem));
                    // What was begun in the session may not be over for the module.
                    desk.session = session(&self.module, self.slot)?;
                }
            }
            if let Some(known) = known.filter(|_| !schemes.is_empty()) {
                return Ok(Some(known));
            }
        }
        match refused {
            Some(problem) if schemes.is_empty() => Err(problem),
            _ => Ok(Some(schemes).filter(|schemes| !schemes.is_empty())),
        }
    }
}

fn session(module: &Module, slot: Slot) -> Result<Session, Problem> {
    module.functions.open_ro_session(slot).map_err(|error| Problem::of("C_OpenSession", &error))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The slot whose token is as the plan says.
fn find_slot(module: &Pkcs11, plan: &Plan) -> Result<(Slot, TokenInfo), Problem> {
    let slots = module.get_slots_with_token().map_err(|error| Problem::of("C_GetSlotList", &error))?;
    let mut there = Vec::new();
    for slot in slots {
        match module.get_token_info(slot) {
            // One that was never set up has no key.
            Ok(info) if info.token_initialized() => there.push((slot, info)),
            // One that cannot be asked is not the one, or not there.
            Ok(_) | Err(_) => {}
        }
    }
    let names = |tokens: &[(Slot, TokenInfo)]| {
        let names: Vec<String> = tokens
            .iter()
            .map(|(slot, info)| {
                format!("{:?} with serial {:?} in slot {}", info.label(), info.serial_number(), slot.id())
            })
            .collect();
        names.join(", ")
    };
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let (mut fitting, others): (Vec<_>, Vec<_>) = there.into_iter().partition(|(slot, info)| {
        plan.slot.is_none_or(|wanted| wanted == slot.id())
            && is(&plan.label, info.label())
            && is(&plan.serial, info.serial_number())
            && is(&plan.manufacturer, info.manufacturer_id())
            && is(&plan.model, info.model())
    });
    match (fitting.len(), fitting.pop()) {
        (1, Some(found)) => Ok(found),
        (0, _) | (_, None) if others.is_empty() => Err(Problem {
            text: format!(
                "there is no {plan}: the module shows no token at all; is it plugged in, running, and may this user reach it?"
            ),
            cure: Cure::BeginAgain,
            gone: true,
        }),
        (0, _) | (_, None) => Err(Problem {
            text: format!("there is no {plan}: the module shows {}; correct the URI", names(&others)),
            cure: Cure::BeginAgain,
            gone: true,
        }),
        (_, Some(last)) => {
            fitting.push(last);
            Err(Problem::new(format!(
                "more than one token fits: {}; add token=, serial= or slot-id= to the URI",
                names(&fitting)
            )))
        }
    }
}

/// Why not to use the PIN at all: a wrong one would be the last.
fn last_chance(plan: &Plan, is_final_try: bool, is_locked: bool) -> Result<(), Problem> {
    let text = if is_locked {
        format!("the {plan} has locked its PIN; unlock it with its own tool and start again")
    } else if is_final_try {
        format!(
            "the {plan} would lock itself at the next wrong PIN, so it is not tried; correct pin-source or pin-value, log \
             in once with the token's own tool, which takes the warning away, and start again"
        )
    } else {
        return Ok(());
    };
    Err(Problem { text, cure: Cure::StayAway, gone: false })
}

fn log_in(session: &Session, plan: &Plan, info: &TokenInfo, pin: Option<&AuthPin>) -> Result<(), Problem> {
    if pin.is_none() && !info.login_required() {
        return Ok(());
    }
    if pin.is_none() && !info.protected_authentication_path() {
        return Err(Problem::new(format!("the {plan} wants a PIN; add pin-source=FILE to the URI")));
    }
    // Who has a keypad sees what the token says.
    last_chance(plan, pin.is_some() && info.user_pin_final_try(), info.user_pin_locked())?;
    let error = match session.login(UserType::User, pin) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => return Ok(()),
        Err(error) => error,
    };
    let problem = Problem::of("the login", &error);
    if problem.cure != Cure::StayAway {
        return Err(problem);
    }
    let advice = match error {
        Error::Pkcs11(RvError::PinLocked, _) => "unlock it with its own tool",
        Error::Pkcs11(RvError::PinExpired, _) => "set a new one with its own tool",
        _ => "correct pin-source or pin-value",
    };
    // No second try, ever: the third or so would lock the token.
    Err(Problem {
        text: format!("the {plan} does not take the PIN ({}); {advice} and start again", Code(&error)),
        ..problem
    })
}

/// Private keys that could be the one.
struct Candidates {
    handles: Vec<ObjectHandle>,
    /// There are more than are tried.
    more: bool,
}

impl Candidates {
    /// None of them is.
    fn none_fits(&self, plan: &Plan, key: &PublicKey) -> Problem {
        let mut text = format!("in the {plan} there is no {key} that belongs to it");
        for (name, given) in [("object", plan.object.is_some()), ("id", plan.id.is_some())] {
            if given {
                text.push_str(&format!(", with the {name} of the URI"));
            }
        }
        let other = match self.handles.len() {
            number if self.more => format!(
                "{number} of this kind were tried, and there are more; give the key the CKA_ID of its public half, or name it by object= or id="
            ),
            0 => "there is none of this kind".to_owned(),
            1 => "the one of this kind signs for another certificate".to_owned(),
            number => format!("the {number} of this kind sign for other certificates"),
        };
        Problem::new(format!("{text} ({other})"))
    }
}

impl Desk {
    fn sign(
        &self,
        key: &PublicKey,
        handle: ObjectHandle,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Vec<u8>, Problem> {
        let (mechanism, data) = key::request(scheme, message);
        self.session.sign(&mechanism, handle, &data).map_err(|error| {
            let what = format!("a signature by the token with {}", key::mechanism_name(scheme));
            match error {
                Error::Pkcs11(RvError::UserNotLoggedIn, _) if self.asks_each_time(handle) => Problem::new(format!(
                    "the {key} in the token wants its PIN before each signature (CKA_ALWAYS_AUTHENTICATE), which is not \
                     supported; use a key that does not"
                )),
                error => Problem::of(&what, &error),
            }
        })
    }

    fn asks_each_time(&self, handle: ObjectHandle) -> bool {
        let asked = self.session.get_attributes(handle, &[AttributeType::AlwaysAuthenticate]);
        asked.is_ok_and(|found| found.contains(&Attribute::AlwaysAuthenticate(true)))
    }

    /// The private keys that could belong to a public one; the most likely first.
    fn candidates(&self, plan: &Plan, key: &PublicKey) -> Result<Candidates, Problem> {
        let mut wanted = vec![
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(match key.kind() {
                Kind::Rsa { .. } => KeyType::RSA,
                Kind::Ecdsa(_) => KeyType::EC,
            }),
        ];
        wanted.extend(plan.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
        wanted.extend(plan.id.iter().map(|id| Attribute::Id(id.clone())));
        let mut found: Vec<ObjectHandle> = Vec::new();
        for one_more in self.hints(key) {
            // No key has two identifiers.
            if plan.id.is_none() || !matches!(one_more, Attribute::Id(_)) {
                found.extend(self.objects(&[&wanted[..], &[one_more]].concat())?);
            }
        }
        // A token need not know the public half: then those that could be it are tried.
        let all = self.objects(&wanted)?;
        let more = all.len() > limits::TOKEN_CANDIDATES;
        found.extend(all.into_iter().take(limits::TOKEN_CANDIDATES));
        let mut handles = Vec::new();
        for handle in found {
            if !handles.contains(&handle) {
                handles.push(handle);
            }
        }
        Ok(Candidates { handles, more })
    }

    /// What the private key most likely has, by the public one; the best guess first.
    fn hints(&self, key: &PublicKey) -> Vec<Attribute> {
        let (own, public) = match key.kind() {
            Kind::Rsa { modulus } => {
                let modulus = Attribute::Modulus(modulus.to_vec());
                (Some(modulus.clone()), vec![(KeyType::RSA, modulus)])
            }
            Kind::Ecdsa(_) => {
                // The standard wraps the point in an OCTET STRING; some modules do not.
                let forms = [octets(key.bits()), key.bits().to_vec()];
                (None, forms.map(|form| (KeyType::EC, Attribute::EcPoint(form))).to_vec())
            }
        };
        let mut hints: Vec<Attribute> = own.into_iter().collect();
        for (kind, half) in public {
            let wanted = vec![Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(kind), half];
            // Without a public half there is no such hint.
            for handle in self.objects(&wanted).unwrap_or_default() {
                hints.extend(self.session.get_attributes(handle, &[AttributeType::Id]).unwrap_or_default());
            }
        }
        hints
    }

    fn objects(&self, wanted: &[Attribute]) -> Result<Vec<ObjectHandle>, Problem> {
        let failed = |error: Error| Problem::of("the search for a key", &error);
        match self.session.iter_objects(wanted) {
            // One more than are tried, so that it is seen when there are.
            Ok(found) => found.take(limits::TOKEN_CANDIDATES + 1).collect::<Result<_, _>>().map_err(failed),
            // It has never heard of such a thing, so none of its objects has it.
            Err(Error::Pkcs11(
                RvError::AttributeTypeInvalid
                | RvError::AttributeValueInvalid
                | RvError::TemplateInconsistent,
                _,
            )) => Ok(Vec::new()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// An OCTET STRING in DER; the point of a curve is shorter than 256 bytes.
fn octets(bytes: &[u8]) -> Vec<u8> {
    const OCTET_STRING: u8 = 0x04;
    let len = bytes.len() as u8;
    let mut der = vec![OCTET_STRING];
    if len >= 0x80 {
        der.push(0x81);
    }
    der.push(len);
    der.extend_from_slice(bytes);
    der
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        let check = |code, expect: &str| {
            assert_eq!(Code(&Error::Pkcs11(code, Function::Sign)).to_string(), expect);
        };
        check(RvError::PinIncorrect, "CKR_PIN_INCORRECT");
        check(RvError::DeviceRemoved, "CKR_DEVICE_REMOVED");
    }

    #[test]
    fn a_wrong_pin_is_not_tried_again() {
        for code in [RvError::PinIncorrect, RvError::PinLocked, RvError::PinLenRange] {
            assert_eq!(cure(code), Cure::StayAway);
        }
        assert_eq!(cure(RvError::SessionHandleInvalid), Cure::BeginAgain);
        assert_eq!(cure(RvError::DeviceRemoved), Cure::BeginAgain);
        assert_eq!(cure(RvError::MechanismInvalid), Cure::OtherScheme);
    }

    #[test]
    fn a_last_try_is_left_to_people() {
        let plan = Plan::at("/m.so", "x:1");
        let check = |is_final_try, is_locked, expect: Option<&str>| {
            let found = last_chance(&plan, is_final_try, is_locked).err();
            assert_eq!(found.is_some(), expect.is_some());
            if let (Some(found), Some(expect)) = (found, expect) {
                assert!(found.text.contains(expect), "{found}");
                assert_eq!(found.cure, Cure::StayAway);
            }
        };
        check(false, false, None);
        check(true, false, Some("would lock itself"));
        check(false, true, Some("has locked its PIN"));
        check(true, true, Some("has locked its PIN"));
    }

    #[test]
    fn when_not_all_were_tried_that_is_said() {
        let plan = Plan::at("/m.so", "x:1");
        let key = key::tests::ecdsa();
        let text = Candidates { handles: Vec::new(), more: false }.none_fits(&plan, &key).text;
        assert!(text.contains("none of this kind"), "{text}");
        let text = Candidates { handles: Vec::new(), more: true }.none_fits(&plan, &key).text;
        assert!(text.contains("there are more"), "{text}");
    }
}
