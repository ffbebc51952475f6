//! The modes of a terminal as SSH carries them (RFC 4254 section 8; OpenSSH's `ttymodes.h` for the choice).

use russh::Pty;
use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes, SpecialCodeIndex as Code, Termios};

/// A special character that is switched off, on the wire.
const OFF: u32 = 255;

/// A special character that is switched off, here (`_POSIX_VDISABLE`).
#[cfg(any(target_os = "linux", target_os = "android"))]
const OFF_HERE: u8 = 0;
/// A special character that is switched off, here (`_POSIX_VDISABLE`).
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const OFF_HERE: u8 = 255;

const CODES: [(Pty, Code); 14] = [
    (Pty::VINTR, Code::VINTR),
    (Pty::VQUIT, Code::VQUIT),
    (Pty::VERASE, Code::VERASE),
    (Pty::VKILL, Code::VKILL),
    (Pty::VEOF, Code::VEOF),
    (Pty::VEOL, Code::VEOL),
    (Pty::VEOL2, Code::VEOL2),
    (Pty::VSTART, Code::VSTART),
    (Pty::VSTOP, Code::VSTOP),
    (Pty::VSUSP, Code::VSUSP),
    (Pty::VREPRINT, Code::VREPRINT),
    (Pty::VWERASE, Code::VWERASE),
    (Pty::VLNEXT, Code::VLNEXT),
    (Pty::VDISCARD, Code::VDISCARD),
];

const INPUT: [(Pty, InputModes); 11] = [
    (Pty::IGNPAR, InputModes::IGNPAR),
    (Pty::PARMRK, InputModes::PARMRK),
    (Pty::INPCK, InputModes::INPCK),
    (Pty::ISTRIP, InputModes::ISTRIP),
    (Pty::INLCR, InputModes::INLCR),
    (Pty::IGNCR, InputModes::IGNCR),
    (Pty::ICRNL, InputModes::ICRNL),
    (Pty::IXON, InputModes::IXON),
    (Pty::IXANY, InputModes::IXANY),
    (Pty::IXOFF, InputModes::IXOFF),
    (Pty::IMAXBEL, InputModes::IMAXBEL),
];

const LOCAL: [(Pty, LocalModes); 12] = [
    (Pty::ISIG, LocalModes::ISIG),
    (Pty::ICANON, LocalModes::ICANON),
    (Pty::ECHO, LocalModes::ECHO),
    (Pty::ECHOE, LocalModes::ECHOE),
    (Pty::ECHOK, LocalModes::ECHOK),
    (Pty::ECHONL, LocalModes::ECHONL),
    (Pty::NOFLSH, LocalModes::NOFLSH),
    (Pty::TOSTOP, LocalModes::TOSTOP),
    (Pty::IEXTEN, LocalModes::IEXTEN),
    (Pty::ECHOCTL, LocalModes::ECHOCTL),
    (Pty::ECHOKE, LocalModes::ECHOKE),
    (Pty::PENDIN, LocalModes::PENDIN),
];

const OUTPUT: [(Pty, OutputModes); 5] = [
    (Pty::OPOST, OutputModes::OPOST),
    (Pty::ONLCR, OutputModes::ONLCR),
    (Pty::OCRNL, OutputModes::OCRNL),
    (Pty::ONOCR, OutputModes::ONOCR),
    (Pty::ONLRET, OutputModes::ONLRET),
];

const CONTROL: [(Pty, ControlModes); 4] = [
    (Pty::CS7, ControlModes::CS7),
    (Pty::CS8, ControlModes::CS8),
    (Pty::PARENB, ControlModes::PARENB),
    (Pty::PARODD, ControlModes::PARODD),
];

/// All modes that both sides know, with their values.
pub(super) fn encode(modes: &Termios) -> Vec<(Pty, u32)> {
    let mut encoded =
        vec![(Pty::TTY_OP_ISPEED, modes.input_speed()), (Pty::TTY_OP_OSPEED, modes.output_speed())];
    let code = |code: u8| if code == OFF_HERE { OFF } else { u32::from(code) };
    encoded.extend(CODES.map(|(name, index)| (name, code(modes.special_codes[index]))));
    encoded.extend(INPUT.map(|(name, mode)| (name, u32::from(modes.input_modes.contains(mode)))));
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    encoded.push((Pty::IUTF8, u32::from(modes.input_modes.contains(InputModes::IUTF8))));
    encoded.extend(LOCAL.map(|(name, mode)| (name, u32::from(modes.local_modes.contains(mode)))));
    encoded.extend(OUTPUT.map(|(name, mode)| (name, u32::from(modes.output_modes.contains(mode)))));
    encoded.extend(CONTROL.map(|(name, mode)| (name, u32::from(modes.control_modes.contains(mode)))));
    encoded
}
