//! Certificates for the peers of a benchmark, all from one authority that the load generator believes.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize,
};

const HELP: &str = "\
Certificates for bench.test, with keys of ECDSA P-256 and RSA 2048.

Usage: bench-certificates FOLDER

Writes authority.crt, and for ecdsa and rsa each a .crt, a .key, and a .pem with both.
";

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from).filter(|path| !path.starts_with("-"))
    else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-certificates {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "The authority of a benchmark");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    fs::write(folder.join("authority.crt"), params.self_signed(&key)?.pem())?;
    let authority = Issuer::new(params, key);
    let keys = [
        ("ecdsa", KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?),
        ("rsa", KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?),
    ];
    for (name, key) in keys {
        let mut params = CertificateParams::new(vec!["bench.test".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, "bench.test");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &authority)?.pem();
        let secret = key.serialize_pem();
        fs::write(folder.join(format!("{name}.crt")), &certificate)?;
        fs::write(folder.join(format!("{name}.key")), &secret)?;
        fs::write(folder.join(format!("{name}.pem")), certificate + &secret)?;
    }
    Ok(())
}
