// Records and registers in frames: packed and read in one way, whether a link or a bundle carries
// them (proto/WIRE.md "Frames").
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Everything of a record but its body.
struct Arriving {
    Header header;
    Signature signature;
    Hash body_hash;
    RecordId id;
};

// One of several records in a frame, with its body in one piece, which lies in the frame.
struct ReadRecord {
    Arriving record;
    BytesView body;
};
// Reads the records of a frame in order. `news` must outlive it.
class RecordReader {
public:
    RecordReader(const NetworkId& network, const RecordNews& news)
        : network_(network), news_(news) {}
    // Nothing: the frame has no more records. malformed, unsupported: this record is bad. Then the
    // next one may be elided against a neighbour that was not read, and comes out as another
    // record.
    std::optional<Result<ReadRecord>> next();

private:
    Result<ReadRecord> read(BytesView entry);

    NetworkId network_;
    const RecordNews& news_;
    std::size_t at_ = 0;
    std::optional<Neighbour> before_;
};
// The record whose body follows in chunks. malformed, unsupported.
Result<Arriving> read_opened(const NetworkId& network, const StreamOpened& opened);

// Fills a frame with records in one piece. Each header is elided against the header before it.
class RecordPacker {
public:
    // False: not added, because the frame already has records and would become larger than
    // `bytes_max`. corrupt: as checked_piece_of.
    Result<bool> add(const Ledger& ledger, const storage::StoredRecord& record,
                     const Header& header, std::size_t bytes_max);
    [[nodiscard]] bool is_empty() const { return news_.records.empty(); }
    // The size of the frame, about.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    // Returns the frame and begins the next one.
    RecordNews take();

private:
    RecordNews news_;
    std::size_t bytes_ = 0;
    std::optional<Neighbour> before_;
};
// The frame that announces a held record whose body follows in chunks. corrupt: as checked_part_of.
Result<StreamOpened> opened_of(const Ledger& ledger, const storage::StoredRecord& record,
                               const Header& header, std::uint32_t stream);

class RegisterPacker {
public:
    void add(const Register& entry);
    [[nodiscard]] bool is_empty() const { return news_.registers.empty(); }
    // The size of the registers.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    // Returns the frame and begins the next one.
    RegisterNews take();

private:
    RegisterNews news_;
    std::size_t bytes_ = 0;
};

// Gives the statement a version and a time, and signs it.
Custody signed_custody(Ledger& ledger, Custody custody, Now now);

}  // namespace fieldpost::engine
