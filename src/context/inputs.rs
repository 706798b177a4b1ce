//! The files that some settings name: looked at for each connection, read only when they may have changed.
//!
//! Files through [`Files`] only.

use std::sync::Arc;
use std::time::SystemTime;

use super::cache::{self, COUNTERS};
use super::files::Files;
use super::fingerprint::{Fingerprint, Mixer};
use super::source::{CERTIFICATE, DH, KEY, Source, TRUST, Wording};
use super::{Settings, trust::Trust};
use crate::error::Result;
use crate::ossl::secret::Secret;

/// One source: what it holds, as a fingerprint, and the content itself if it had to be read or was there anyway.
struct Input {
    /// The fingerprint of the content.
    fingerprint: Fingerprint,
    /// The content.
    content: Option<Arc<Secret>>,
}

impl Input {
    /// Looks at a source: a native file that was not written since its fingerprint was taken isn't read.
    fn look(source: &Source, what: &Wording, files: &dyn Files) -> Result<Self> {
        if let Some(name) = source.name()
            && let Some(stamp) = files.stamp(name)
            && let Some(fingerprint) = cache::file(name, &stamp)
        {
            return Ok(Self {
                fingerprint,
                content: None,
            });
        }
        Self::read(source, what, files)
    }

    /// Reads a source.
    fn read(source: &Source, what: &Wording, files: &dyn Files) -> Result<Self> {
        let (content, fingerprint) = match source.value() {
            Some((bytes, fingerprint)) => (Arc::clone(bytes), fingerprint),
            None => read(source, what, files)?,
        };
        Ok(Self {
            fingerprint,
            content: Some(content),
        })
    }

    /// Reads the content too, if that hasn't happened yet.
    fn fill(&mut self, source: &Source, what: &Wording, files: &dyn Files) -> Result<()> {
        if self.content.is_none() {
            *self = Self::read(source, what, files)?;
        }
        Ok(())
    }

    /// The content; empty before it was read.
    fn content(&self) -> &[u8] {
        self.content.as_ref().map_or(&[], |content| content)
    }
}

/// Reads a file, and remembers its fingerprint if nothing happened to it meanwhile. With its fingerprint comes that
/// of the content that was read, whatever happens to the file.
fn read(source: &Source, what: &Wording, files: &dyn Files) -> Result<(Arc<Secret>, Fingerprint)> {
    let name = source.name().unwrap_or_default();
    let started = SystemTime::now();
    let before = files.stamp(name);
    let content = files
        .read(name)
        .map_err(|error| source.unreadable(what, error))?;
    COUNTERS.reads.add();
    let fingerprint = Fingerprint::of(&content);
    if let Some(stamp) = before
        && files.stamp(name) == before
        && !stamp.racy(started)
    {
        cache::keep_file(name, stamp, fingerprint);
    }
    Ok((Arc::new(content), fingerprint))
}

/// Everything that some settings name.
pub(super) struct Inputs<'a> {
    /// The settings.
    settings: &'a Settings,
    /// How files are read.
    files: &'a dyn Files,
    /// The own certificate.
    certificate: Option<Input>,
    /// The private key, if it stands elsewhere.
    key: Option<Input>,
    /// The trusted certificates.
    cafile: Option<Input>,
    /// The Diffie-Hellman parameters.
    dhparams: Option<Input>,
    /// What the folders and stores of trust look like.
    places: Fingerprint,
}

impl<'a> Inputs<'a> {
    /// Looks at everything that the settings name.
    pub(super) fn look(settings: &'a Settings, files: &'a dyn Files) -> Result<Self> {
        let look = |source: Option<&Source>, what: &Wording| {
            source
                .map(|source| Input::look(source, what, files))
                .transpose()
        };
        let identity = settings.identity.as_ref();
        let key = identity.and_then(|identity| identity.key.as_ref());
        Ok(Self {
            settings,
            files,
            certificate: look(identity.map(|identity| &identity.certificate), &CERTIFICATE)?,
            key: look(key, &KEY)?,
            cafile: look(settings.trust.cafile(), &TRUST)?,
            dhparams: look(settings.dhparams.as_ref(), &DH)?,
            places: places(&settings.trust, files)?,
        })
    }

    /// Reads what was only looked at.
    pub(super) fn fill(&mut self) -> Result<()> {
        let fill = |input: &mut Option<Input>, source: Option<&Source>, what: &Wording| match (
            input, source,
        ) {
            (Some(input), Some(source)) => input.fill(source, what, self.files),
            _ => Ok(()),
        };
        let identity = self.settings.identity.as_ref();
        let key = identity.and_then(|identity| identity.key.as_ref());
        let certificate = identity.map(|identity| &identity.certificate);
        fill(&mut self.certificate, certificate, &CERTIFICATE)?;
        fill(&mut self.key, key, &KEY)?;
        fill(&mut self.cafile, self.settings.trust.cafile(), &TRUST)?;
        fill(&mut self.dhparams, self.settings.dhparams.as_ref(), &DH)
    }

    /// The fingerprint of all contents.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut mixer = Mixer::new("contents");
        for input in [&self.certificate, &self.key, &self.dhparams] {
            mixer.add_option(input.as_ref().map(|input| &input.fingerprint.0[..]));
        }
        mixer.add(&self.trust().0);
        mixer.finish()
    }

    /// The fingerprint of what a store of trusted certificates is built from.
    pub(super) fn trust(&self) -> Fingerprint {
        let mut mixer = Mixer::new("trust contents");
        let cafile = self.cafile.as_ref();
        mixer.add_option(cafile.map(|input| &input.fingerprint.0[..]));
        mixer.add(&self.places.0);
        mixer.finish()
    }

    /// What sessions are bound to: the trusted certificates as far as they are named, so that processes with equal
    /// settings agree.
    pub(super) fn session_name(&self) -> Fingerprint {
        let mut mixer = Mixer::new("sessions");
        self.settings.trust.mix(&mut mixer);
        mixer.add_option(self.cafile.as_ref().map(|input| &input.fingerprint.0[..]));
        mixer.add(&[
            u8::from(self.settings.request),
            u8::from(self.settings.require),
        ]);
        mixer.finish()
    }

    /// The content of the certificate's source.
    pub(super) fn certificate(&self) -> &[u8] {
        self.certificate.as_ref().map_or(&[], Input::content)
    }

    /// The content of the key's source, which may be the certificate's.
    pub(super) fn key(&self) -> &[u8] {
        self.key
            .as_ref()
            .map_or_else(|| self.certificate(), Input::content)
    }

    /// The content of `-cafile`.
    pub(super) fn cafile(&self) -> Option<&[u8]> {
        self.cafile.as_ref().map(Input::content)
    }

    /// The content of `-dhparams`.
    pub(super) fn dhparams(&self) -> Option<&[u8]> {
        self.dhparams.as_ref().map(Input::content)
    }
}

/// What the folders, stores and default files of trust look like. A stamp that proves nothing makes the result unlike
/// any other.
fn places(trust: &Trust, files: &dyn Files) -> Result<Fingerprint> {
    let mut mixer = Mixer::new("places");
    let now = SystemTime::now();
    for (place, stamp) in trust.look(files)? {
        mixer.add(place.as_bytes());
        match stamp {
            None => mixer.add_option(None),
            Some(stamp) => mixer.add_option(Some(&stamp.bytes())),
        }
        if stamp.is_some_and(|stamp| stamp.racy(now)) {
            mixer.add(&COUNTERS.unique.add().to_le_bytes());
        }
    }
    Ok(mixer.finish())
}
