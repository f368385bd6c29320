// Package nasty is what stands between two ends and misbehaves, for tests and
// the simulator: Broker is a broker in memory that loses, repeats, reorders,
// delays, replays and forges messages; Proxy is a stretch of TCP that is slow,
// stalls or breaks.
//
// Both are honest until told otherwise. They know no message of ours, never
// sign anything, and are linked into nothing that runs in a building.
package nasty
