// Package protocol is OSDP as the standard writes it (SIA OSDP v2.2, IEC
// 60839-11-5), the control panel's side: frames and their check characters, the
// payloads of commands and replies, and the secure channel of annex D. It is pure:
// bytes in, values out, no clock, no port, and the random numbers of a handshake
// come from the caller.
package protocol
