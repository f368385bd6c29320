// Package document checks the signed documents that the front hands on: the Trust
// document by the root's key, House documents and lists by the issuers' keys. It is
// pure: bytes in, what they say out.
package document
