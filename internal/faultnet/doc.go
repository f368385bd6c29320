// Package faultnet injects the faults of a network between two ends, for tests
// and the simulator: Broker is an MQTT broker in memory that loses, repeats,
// reorders, delays, replays and forges messages; Proxy forwards TCP through a
// connection that is slow, stalls or breaks.
//
// Both are honest until told otherwise. They know no message of ours, never
// sign anything, and are linked into nothing that runs in a building.
package faultnet
