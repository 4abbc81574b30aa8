// An office that signs two records under one number: its log ends where they differ, for everybody.
//
// The proof is a register that anybody can make and check (WIRE.md 4). In each log the proof with
// the lowest start is kept, in up to limits::fork_lives_max incarnations. With proofs in one more
// incarnation the office is closed whole, until its authority replaces it. Then five proofs are
// kept and none of its other registers. Its leaf is the flag *closed* alone, and no more records of
// it are taken. So the storage that one office can cost others here is bounded, and all offices
// that know the proofs have the same leaf.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The proof of a stored record, for a peer that asks or for a fork.
Result<RecordProof> proof_of(const Ledger& ledger, const storage::StoredRecord& record);

// Verifies a proof, keeps it, and closes the log that it proves broken. False: the proof adds
// nothing new. If the proof is about this office, this office signs nothing any more: another
// machine has its keys, or an old copy of its store.
Result<bool> take_fork(Ledger& ledger, const Register& entry, Via from, Now now,
                       std::vector<Notice>& notify);

// Makes a proof from two records of one log whose runs overlap, and takes it as take_fork() does.
Result<void> accuse(Ledger& ledger, const RecordProof& one, const RecordProof& other, Via from,
                    Now now, std::vector<Notice>& notify);

}  // namespace fieldpost::engine
