// An office that signs two records under one number: its log ends where they differ, for everybody.
//
// The proof is a register that anybody can make and check (WIRE.md 4). Of each log the one with the
// lowest start is kept, in up to limits::fork_lives_max incarnations. With one more the office is
// closed whole, until its authority replaces it: of its registers five proofs are kept and nothing
// else, its leaf is the flag *closed* alone, and nothing more of it is taken. So what one office
// can make others keep of this is bounded, and all who have heard of it say the same.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The proof of a stored record, for a peer that asks or for a fork.
Result<RecordProof> proof_of(const Ledger& ledger, const storage::StoredRecord& record);

// Keeps a proof, after it was verified, and closes what it closes. False: it says nothing new. If
// it is about this office, this office signs nothing any more: somebody else has its keys, or an
// old copy of its store.
Result<bool> take_fork(Ledger& ledger, const Register& entry, Via from, Now now,
                       std::vector<Notice>& notify);

// Makes the proof of two records of one log whose runs overlap, and takes it.
Result<void> accuse(Ledger& ledger, const RecordProof& one, const RecordProof& other, Via from,
                    Now now, std::vector<Notice>& notify);

}  // namespace fieldpost::engine
