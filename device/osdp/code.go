package osdp

import "fmt"

// The codes of commands that the panel sends.
const (
	cmdPoll      = 0x60
	cmdID        = 0x61
	cmdCap       = 0x62
	cmdLStat     = 0x64
	cmdIStat     = 0x65
	cmdOStat     = 0x66
	cmdRStat     = 0x67
	cmdOut       = 0x68
	cmdLED       = 0x69
	cmdBuzzer    = 0x6A
	cmdText      = 0x6B
	cmdComSet    = 0x6E
	cmdKeySet    = 0x75
	cmdChallenge = 0x76
	cmdSCrypt    = 0x77
	cmdACURxSize = 0x7B
	cmdAbort     = 0xA2
)

// The codes of replies that the panel understands.
const (
	replyAck     = 0x40
	replyNak     = 0x41
	replyPDID    = 0x45
	replyPDCap   = 0x46
	replyLStat   = 0x48
	replyIStat   = 0x49
	replyOStat   = 0x4A
	replyRStat   = 0x4B
	replyRaw     = 0x50
	replyFmt     = 0x51
	replyKeypad  = 0x53
	replyCom     = 0x54
	replyCCrypt  = 0x76
	replyRMAC    = 0x78
	replyBusy    = 0x79
	defaultKeyNo = 0x00 // in the block of a handshake: the key that everybody knows
	ownKeyNo     = 0x01
	keyRefused   = 0xFF
)

var commandNames = map[byte]string{
	cmdPoll: "POLL", cmdID: "ID", cmdCap: "CAP", cmdLStat: "LSTAT", cmdIStat: "ISTAT", cmdOStat: "OSTAT",
	cmdRStat: "RSTAT", cmdOut: "OUT", cmdLED: "LED", cmdBuzzer: "BUZ", cmdText: "TEXT", cmdComSet: "COMSET",
	0x73: "BIOREAD", 0x74: "BIOMATCH", cmdKeySet: "KEYSET", cmdChallenge: "CHLNG", cmdSCrypt: "SCRYPT",
	cmdACURxSize: "ACURXSIZE", 0x7C: "FILETRANSFER", 0x80: "MFG", 0xA1: "XWR", cmdAbort: "ABORT",
	0xA3: "PIVDATA", 0xA4: "GENAUTH", 0xA5: "CRAUTH", 0xA7: "KEEPACTIVE",
}

var replyNames = map[byte]string{
	replyAck: "ACK", replyNak: "NAK", replyPDID: "PDID", replyPDCap: "PDCAP", replyLStat: "LSTATR",
	replyIStat: "ISTATR", replyOStat: "OSTATR", replyRStat: "RSTATR", replyRaw: "RAW", replyFmt: "FMT",
	replyKeypad: "KEYPAD", replyCom: "COM", replyCCrypt: "CCRYPT", replyRMAC: "RMAC_I", replyBusy: "BUSY",
	0x7A: "FTSTAT", 0x80: "PIVDATAR", 0x81: "GENAUTHR", 0x82: "CRAUTHR", 0x83: "MFGSTATR", 0x84: "MFGERRR",
	0x90: "MFGREP", 0xB1: "XRD",
}

// Name returns the name of the frame's code, which depends on the direction;
// unknown codes read as 0x5A.
func (f Frame) Name() string {
	names := commandNames
	if f.Reply {
		names = replyNames
	}
	if name, ok := names[f.Code]; ok {
		return name
	}
	return fmt.Sprintf("0x%02X", f.Code)
}
