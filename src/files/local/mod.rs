//! This machine's side: what is to be sent, and a folder that nothing gets out of.
