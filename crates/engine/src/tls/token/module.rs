//! PKCS#11: an opened token, the search for a key in it, and signatures.
//!
//! A token is slow and may be away; everything here blocks, and is called by helpers or before there are workers.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use plan::token::Token as Plan;

use super::key::{Kind, PublicKey};
use crate::limits;

/// Why a token, or a key in it, cannot be used.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// What is wrong and what to do, as the end of a sentence.
    pub(super) text: String,
    pub(super) cure: Cure,
}

/// What could be done about it without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cure {
    /// To begin again from the start: the session has ended, the device has gone or has come back.
    BeginAgain,
    /// Nothing, and trying on does harm: a token locks itself after a few wrong PINs.
    StayAway,
    /// Nothing.
    None,
}

impl Problem {
    pub(super) fn new(text: impl Into<String>) -> Problem {
        Problem { text: text.into(), cure: Cure::None }
    }

    /// What a call of the module has said.
    fn of(what: &str, error: &Error) -> Problem {
        let cure = match error {
            Error::Pkcs11(code, _) => cure(*code),
            _ => Cure::None,
        };
        Problem { text: format!("{what} fails with {}", Code(error)), cure }
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
        | RvError::KeyFunctionNotPermitted
        | RvError::KeyTypeInconsistent
        | RvError::KeySizeRange
        | RvError::DataInvalid
        | RvError::DataLenRange
        | RvError::ArgumentsBad
        | RvError::FunctionNotSupported => Cure::None,
        // Modules do not agree on what they say when a session or a device has gone.
        _ => Cure::BeginAgain,
    }
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

/// Loads the module; it stays loaded for as long as the process lives, since a jail may hide its file.
pub(super) fn load(plan: &Plan) -> Result<Pkcs11, Problem> {
    Pkcs11::new(&plan.module).map_err(|error| {
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
    })
}

/// A token that is open for us.
pub(super) struct Opened {
    module: Pkcs11,
    slot: Slot,
    /// Those that nobody signs with just now. There are never more than helpers.
    desks: Mutex<Vec<Desk>>,
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
    pub(super) fn new(module: &Pkcs11, plan: &Plan, pin: Option<&AuthPin>) -> Result<Opened, Problem> {
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // It may be in use by another part of the process, such as a library that we do not know of.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(Problem::of("C_Initialize", &error)),
        }
        let opened = find_slot(module, plan).and_then(|(slot, info)| {
            let session =
                module.open_ro_session(slot).map_err(|error| Problem::of("C_OpenSession", &error))?;
            log_in(&session, plan, &info, pin)?;
            Ok(Opened { module: module.clone(), slot, desks: Mutex::default(), login: Mutex::new(session) })
        });
        if opened.is_err() {
            // So that the next try sees what there is then. Whether it can, the next try will show.
            let _ = module.clone().finalize();
        }
        opened
    }

    /// Ends all sessions and lets go of the token. Nobody may be using it.
    pub(super) fn close(self) {
        let Opened { module, desks, login, .. } = self;
        // Whatever these say: what is gone need not be closed.
        drop(desks);
        drop(login);
        let _ = module.finalize();
    }

    /// Whether the key is there and signs.
    pub(super) fn check(&self, plan: &Plan, key: &PublicKey) -> Result<(), Problem> {
        let mut desk = self.desk()?;
        desk.find(plan, key)?;
        self.give_back(desk);
        Ok(())
    }

    /// Signs `data`, which is what the mechanism wants to have: in most cases a digest.
    pub(super) fn sign(
        &self,
        plan: &Plan,
        key: &PublicKey,
        mechanism: &Mechanism<'_>,
        data: &[u8],
    ) -> Result<Vec<u8>, Problem> {
        let mut desk = self.desk()?;
        let handle = desk.find(plan, key)?;
        // A session in which something went wrong is not used again.
        let signature = desk
            .session
            .sign(mechanism, handle, data)
            .map_err(|error| Problem::of("a signature by the token", &error))?;
        self.give_back(desk);
        Ok(signature)
    }

    fn desk(&self) -> Result<Desk, Problem> {
        if let Some(desk) = self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(desk);
        }
        let session =
            self.module.open_ro_session(self.slot).map_err(|error| Problem::of("C_OpenSession", &error))?;
        Ok(Desk { session, keys: HashMap::new() })
    }

    fn give_back(&self, desk: Desk) {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
    }
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
        }),
        (0, _) | (_, None) => Err(Problem {
            text: format!("there is no {plan}: the module shows {}; correct the URI", names(&others)),
            cure: Cure::BeginAgain,
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

fn log_in(session: &Session, plan: &Plan, info: &TokenInfo, pin: Option<&AuthPin>) -> Result<(), Problem> {
    if pin.is_none() && !info.login_required() {
        return Ok(());
    }
    if pin.is_none() && !info.protected_authentication_path() {
        return Err(Problem::new(format!("the {plan} wants a PIN; add pin-source=FILE to the URI")));
    }
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

impl Desk {
    /// The private key that belongs to a public one; proved by a signature.
    fn find(&mut self, plan: &Plan, key: &PublicKey) -> Result<ObjectHandle, Problem> {
        if let Some(&handle) = self.keys.get(key.bits()) {
            return Ok(handle);
        }
        let mut wanted = vec![
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(match key.kind() {
                Kind::Rsa { .. } => KeyType::RSA,
                Kind::Ecdsa(_) => KeyType::EC,
            }),
        ];
        wanted.extend(plan.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
        wanted.extend(plan.id.iter().map(|id| Attribute::Id(id.clone())));
        let mut candidates: Vec<ObjectHandle> = Vec::new();
        for one_more in self.hints(key) {
            candidates.extend(self.objects(&[&wanted[..], &[one_more]].concat())?);
        }
        // A token need not know the public half: then those that could be it are tried.
        candidates.extend(self.objects(&wanted)?);
        let mut tried = Vec::new();
        let mut refused = None;
        for handle in candidates {
            if tried.contains(&handle) {
                continue;
            }
            tried.push(handle);
            let (mechanism, digest) = key.probe();
            match self.session.sign(&mechanism, handle, digest.as_ref()) {
                Ok(signature) if key.verifies_probe(&signature) => {
                    if self.keys.len() >= limits::CERTIFICATES {
                        self.keys.clear();
                    }
                    self.keys.insert(key.bits().into(), handle);
                    return Ok(handle);
                }
                Ok(_) => {}
                Err(error) => {
                    let problem = Problem::of("a signature by the token", &error);
                    if problem.cure == Cure::BeginAgain {
                        return Err(problem);
                    }
                    refused = Some(problem);
                }
            }
        }
        // One that could be it and does not sign says more than that it is not there.
        if let Some(refused) = refused {
            return Err(refused);
        }
        let mut text = format!("in the {plan} there is no {key} that belongs to it");
        for (name, given) in [("object", plan.object.is_some()), ("id", plan.id.is_some())] {
            if given {
                text.push_str(&format!(", with the {name} of the URI"));
            }
        }
        let other = match tried.len() {
            0 => "there is none of this kind".to_owned(),
            1 => "the one of this kind signs for another certificate".to_owned(),
            number => format!("the {number} of this kind sign for other certificates"),
        };
        Err(Problem::new(format!("{text} ({other})")))
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
            Ok(found) => found.take(limits::TOKEN_CANDIDATES).collect::<Result<_, _>>().map_err(failed),
            // It has never heard of such a thing, so none of its objects has it.
            Err(Error::Pkcs11(RvError::AttributeTypeInvalid | RvError::AttributeValueInvalid, _)) => {
                Ok(Vec::new())
            }
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
        assert_eq!(cure(RvError::MechanismInvalid), Cure::None);
    }
}
