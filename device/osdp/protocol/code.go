package protocol

import "fmt"

// The codes of commands that the panel sends.
const (
	CmdPoll      = 0x60
	CmdID        = 0x61
	CmdCap       = 0x62
	CmdLStat     = 0x64
	CmdIStat     = 0x65
	CmdOStat     = 0x66
	CmdRStat     = 0x67
	cmdOut       = 0x68
	CmdLED       = 0x69
	CmdBuzzer    = 0x6A
	CmdText      = 0x6B
	CmdComSet    = 0x6E
	CmdKeySet    = 0x75
	CmdChallenge = 0x76
	cmdSCrypt    = 0x77
)

// The codes of replies that the panel understands.
const (
	ReplyAck    = 0x40
	ReplyNak    = 0x41
	replyPDID   = 0x45
	replyPDCap  = 0x46
	ReplyLStat  = 0x48
	ReplyIStat  = 0x49
	ReplyOStat  = 0x4A
	ReplyRaw    = 0x50
	ReplyFmt    = 0x51
	ReplyKeypad = 0x53
	ReplyCom    = 0x54
	replyCCrypt = 0x76
	replyRMAC   = 0x78
	ReplyBusy   = 0x79
)

var commandNames = map[byte]string{
	CmdPoll: "POLL", CmdID: "ID", CmdCap: "CAP", CmdLStat: "LSTAT", CmdIStat: "ISTAT", CmdOStat: "OSTAT",
	CmdRStat: "RSTAT", cmdOut: "OUT", CmdLED: "LED", CmdBuzzer: "BUZ", CmdText: "TEXT", CmdComSet: "COMSET",
	0x73: "BIOREAD", 0x74: "BIOMATCH", CmdKeySet: "KEYSET", CmdChallenge: "CHLNG", cmdSCrypt: "SCRYPT",
	0x7B: "ACURXSIZE", 0x7C: "FILETRANSFER", 0x80: "MFG", 0xA1: "XWR", 0xA2: "ABORT",
	0xA3: "PIVDATA", 0xA4: "GENAUTH", 0xA5: "CRAUTH", 0xA7: "KEEPACTIVE",
}

var replyNames = map[byte]string{
	ReplyAck: "ACK", ReplyNak: "NAK", replyPDID: "PDID", replyPDCap: "PDCAP", ReplyLStat: "LSTATR",
	ReplyIStat: "ISTATR", ReplyOStat: "OSTATR", 0x4B: "RSTATR", ReplyRaw: "RAW", ReplyFmt: "FMT",
	ReplyKeypad: "KEYPAD", ReplyCom: "COM", replyCCrypt: "CCRYPT", replyRMAC: "RMAC_I", ReplyBusy: "BUSY",
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
