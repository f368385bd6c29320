// Package simulate plays a building and its registry in one process, in virtual
// time, with all that goes wrong in a house, and holds them to laws.
//
// The code that runs is the real one: gateways with journal, keyring, desk and
// doors, front and issuer with their databases. Not real are the lines of the
// boards, the network, the broker (it misbehaves) and the machines: their clocks
// go wrong, their power fails, their disks are rolled back, lose a file or are
// replaced. A seed makes the days; the same seed makes the same days. What must
// hold is judged by a small model that knows nothing of the programs: who lives
// where, which card is whose, what was said and who has heard of it.
//
// Plans are made by package plan and what programs stand on is played by package
// virtual; testbed has the programs. People (package people), the registry's office
// and those who follow hints (office), those who ask under mandates (officers), faults and
// enemies (faults, hostile) act in one world (package world), each with a table of the events that it knows; model
// holds what people know, laws judges by it, and report is told. This package wires
// them, runs plans in processes of their own, and closes each run.
//
// A run refuses to judge by what a program says of itself where a person
// in the house could see better: whether a door opens is seen at its lock. Nothing
// of it is linked into what runs in a building.
package simulate
