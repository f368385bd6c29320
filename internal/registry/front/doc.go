// Package front is the front of the central registry: the only process that
// gateways reach. It takes what they send in, keeps it, says so with the
// witness's signature, and brings them what the issuer signed.
//
// It believes only signatures: a gateway's by the House document, which the
// issuer signed, and the issuer's by the Trust document, which the root signed.
// It refuses to store what does not hash to the root that the gateway signed,
// to judge what an entry says, and to hold more in memory than its queues have
// room for: what is dropped is sent again, because only a commit is acked. It
// has no key that signs a list or opens a seal.
package front
