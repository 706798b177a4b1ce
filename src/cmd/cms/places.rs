//! Where a call reads and writes, and in which form, by its options.

use std::io::{Cursor, Write};

use super::plan::{Finding, Plan, Reading, Ways};
use super::{Job, KINDS, option_error, streams};
use crate::cmd::sink::Sink;
use crate::cms::content::{Content, Treatment};
use crate::cms::inspect;
use crate::cms::output::Wrapping;
use crate::cms::source::{Format, Stream};
use crate::cms::{ber::Skeleton, unwritable};
use crate::error::{Error, Result};
use crate::tcl::Obj;

/// Where the input comes from.
pub(super) enum Input {
    /// What can be read in any thread.
    Stream(Box<dyn Stream + Send>),
    /// A channel: the option and its name.
    Channel(&'static str, Obj),
}

impl Job<'_> {
    /// Where the input comes from.
    pub(super) fn source(&self, plan: &Plan) -> Result<Input> {
        let streams = &self.streams;
        let given = [
            streams.r#in.is_some(),
            streams.data.is_some(),
            streams.inchan.is_some(),
        ];
        let count = given.iter().filter(|given| **given).count();
        if count > 0 && plan.reading == Reading::Never {
            return Err(option_error(
                "-digest",
                "-digest stands in place of the input",
            ));
        }
        if count > 1 {
            return Err(option_error(
                "-in",
                "only one of -in, -data and -inchan can be given",
            ));
        }
        if plan.reading == Reading::Never {
            return Ok(Input::Stream(Box::new(Cursor::new(Vec::new()))));
        }
        Ok(match (&streams.r#in, &streams.data, &streams.inchan) {
            (_, Some(data), _) => Input::Stream(Box::new(Cursor::new(data.clone()))),
            (_, _, Some(channel)) => Input::Channel("-inchan", channel.clone()),
            (Some(name), _, _) if name != "-" => {
                Input::Stream(streams::open(&self.inputs, "-in", name)?)
            }
            _ => Input::Channel("-in", Obj::text("stdin")),
        })
    }

    /// The input.
    pub(super) fn input(&self, plan: &Plan) -> Result<Box<dyn Stream>> {
        match self.source(plan)? {
            Input::Stream(stream) => Ok(stream),
            Input::Channel(option, name) => streams::open_channel(self.interp, option, &name),
        }
    }

    /// The file beside the input.
    pub(super) fn beside(&self, plan: &Plan) -> Result<Option<Box<dyn Stream + Send>>> {
        let open =
            |(option, name): &(&'static str, String)| streams::open(&self.inputs, option, name);
        plan.beside.as_ref().map(open).transpose()
    }

    /// The file with the content that isn't in the message.
    pub(super) fn content_file(&self) -> Option<(&'static str, String)> {
        Some(("-content", self.streams.content.clone()?))
    }

    /// Whether `-release` lets content out before it is checked.
    pub(super) fn releases_early(&self) -> Result<bool> {
        match self.streams.release.as_deref() {
            None | Some("verified") => Ok(false),
            Some("early") => Ok(true),
            Some(other) => {
                let message = format!("bad -release \"{other}\": must be early or verified");
                Err(option_error("-release", message))
            }
        }
    }

    /// The output; `checked` says whether it may come out only when all is right.
    pub(super) fn output(&self, checked: bool) -> Result<Sink> {
        let early = self.releases_early()? || !checked;
        Sink::output(self.interp, KINDS, &self.output, early)
    }

    /// A format option.
    pub(super) fn format(option: &str, value: Option<&String>) -> Result<Format> {
        value.map_or(Ok(Format::Smime), |value| {
            Format::parse(value).ok_or_else(|| {
                option_error(
                    option,
                    format!("bad {option} \"{value}\": must be SMIME, PEM, or DER"),
                )
            })
        })
    }

    /// The form of the input.
    pub(super) fn inform(&self) -> Result<Format> {
        Self::format("-inform", self.streams.inform.as_ref())
    }

    /// Whether the input is read as a mail, which takes two goes.
    pub(super) fn is_mail(&self) -> Result<bool> {
        Ok(self.inform()? == Format::Smime)
    }

    /// How the result is wrapped.
    pub(super) fn wrapping(&self) -> Result<Wrapping> {
        let streams = &self.streams;
        let headers = [
            (
                "To",
                self.words
                    .given
                    .texts("-to")
                    .into_iter()
                    .reduce(|all, one| format!("{all}, {one}")),
            ),
            ("From", streams.from.clone()),
            ("Subject", streams.subject.clone()),
        ];
        let headers: Vec<(&'static str, String)> = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        if let Some((name, _)) = headers
            .iter()
            .find(|(_, value)| value.contains(['\n', '\r']))
        {
            let option = format!("-{}", name.to_lowercase());
            let message = format!("{option} can't have more than one line");
            return Err(option_error(&option, message));
        }
        Ok(Wrapping {
            format: Self::format("-outform", streams.outform.as_ref())?,
            crlf: streams.crlfeol.is_some(),
            headers,
        })
    }

    /// How a content is treated.
    pub(super) fn treatment(&self) -> Treatment {
        let streams = &self.streams;
        Treatment::new(
            streams.binary.is_some(),
            streams.asciicrlf.is_some(),
            streams.text.is_some(),
        )
    }

    /// Whether lengths are left open.
    pub(super) fn indefinite(&self) -> bool {
        let last = self.words.given.last_of(&["-stream", "-noindef"]);
        last.is_some_and(|setting| setting.spec.name == "-stream")
    }

    /// A plan that makes a message of the input.
    pub(super) fn make(
        &self,
        make: impl FnOnce(Content<'_>, &Wrapping, bool, &mut dyn Write) -> Result<()> + Send + 'static,
    ) -> Result<Plan> {
        let wrapping = self.wrapping()?;
        let treatment = self.treatment();
        let indefinite = self.indefinite();
        let names = self.name_flags()?;
        let print = self.checking.print.is_some();
        let noout = self.checking.noout.is_some();
        Ok(Plan {
            reading: Reading::again_if(self.streams.noindef.is_some()),
            checked: false,
            beside: None,
            work: Box::new(move |ways| {
                let content = Content::new(ways.stream, treatment)?;
                if print {
                    let mut message = Vec::new();
                    make(content, &Wrapping::der(), false, &mut message)?;
                    let text = inspect::print_bytes(&message, names)?;
                    ways.out.write_all(&text).map_err(unwritable)?;
                } else if noout {
                    make(content, &wrapping, indefinite, &mut std::io::sink())?;
                } else {
                    make(content, &wrapping, indefinite, ways.out)?;
                }
                Ok(Finding::default())
            }),
        })
    }

    /// A plan that reads a message from the input.
    pub(super) fn read(
        &self,
        beside: Option<(&'static str, String)>,
        read: impl FnOnce(Ways<'_>, Format, bool) -> Result<Skeleton> + Send + 'static,
    ) -> Result<Plan> {
        let form = self.inform()?;
        let text = self.streams.text.is_some();
        Ok(Plan {
            reading: Reading::again_if(self.is_mail()?),
            checked: true,
            beside,
            work: Box::new(move |ways| Ok(Finding::message(&read(ways, form, text)?))),
        })
    }
}

/// The error for something that must be given.
pub(super) fn missing(option: &str) -> Error {
    option_error(option, format!("{option} isn't given"))
}
