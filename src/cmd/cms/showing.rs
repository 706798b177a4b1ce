//! Messages as they are: written again, or printed.

use super::plan::{Finding, Plan, Reading};
use super::{Job, option_error};
use crate::cms::{inspect, unwritable};
use crate::error::Result;
use crate::x509::name;

impl Job<'_> {
    /// How names are printed, if it isn't in the usual way.
    pub(super) fn name_flags(&self) -> Result<Option<u64>> {
        let Some(words) = &self.checking.nameopt else {
            return Ok(None);
        };
        let form = name::Form::parse(words)
            .map_err(|problem| option_error("-nameopt", problem.to_string()))?;
        Ok((form != name::Form::ONELINE).then(|| form.bits()))
    }

    /// `-cmsout`
    pub(super) fn cmsout(&self) -> Result<Plan> {
        let form = self.inform()?;
        let names = self.name_flags()?;
        let print = self.checking.print.is_some();
        let noout = self.checking.noout.is_some();
        let wants_certificates = self.keys.certsout.is_some();
        let wrapping = (!noout).then(|| self.wrapping()).transpose()?;
        Ok(Plan {
            reading: Reading::again_if(self.is_mail()?),
            checked: false,
            beside: None,
            work: Box::new(move |ways| {
                let skeleton = if print {
                    let (text, skeleton) = inspect::print(ways.stream, form, names)?;
                    ways.out.write_all(&text).map_err(unwritable)?;
                    skeleton
                } else {
                    inspect::copy(ways.stream, form, wrapping.as_ref(), ways.out)?
                };
                let mut finding = Finding::message(&skeleton);
                if wants_certificates {
                    finding.certificates = inspect::certificates(&skeleton)?;
                }
                Ok(finding)
            }),
        })
    }
}
