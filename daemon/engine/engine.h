// The protocol as a value: inputs and the time go in, one batch of consequences comes out.
//
// No sockets, files, clock or threads; of the store it needs transactions. The engine holds no
// truth that the store lacks: after a failed commit it is thrown away and made anew. What it keeps
// and why it converges: daemon/DESIGN.md, whose invariants are cited by number. Frames:
// proto/WIRE.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "crypto/roster.h"
#include "daemon/engine/config.h"
#include "daemon/engine/consequences.h"
#include "daemon/engine/inputs.h"
#include "daemon/engine/link_view.h"
#include "daemon/engine/marker.h"

namespace fieldpost::engine {

class Ledger;

class Engine {
public:
    // `store` and the keys of `config` must outlive the engine. No transaction may be open. The
    // store must hold an OfficeMeta and the roster (see membership/founding.h). Of a store in doubt
    // all damaged rows are put aside first; nothing else is written: the first batch does that.
    // `marker`, if there is one, is the last that was had of this office.
    static Result<Engine> load(storage::RecordStore& store, const Config& config,
                               const Founding& founding, Now now,
                               const std::optional<Marker>& marker = std::nullopt);
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;
    ~Engine();

    // Handles what has arrived in one transaction of its own, so that many frames share one commit,
    // one receipt and one statement of custody. Frames leave only after the commit: what they say
    // is on disk. `time` is asked for each input. After an Error, which is the store's, nothing is
    // kept and no transaction is open: throw the engine away.
    Result<Consequences> run_batch(std::span<const Input> inputs, const std::function<Now()>& time);

    // To be kept outside the store after every commit.
    [[nodiscard]] Marker marker() const;

    // The state of this office, for queries; reads of its store need a transaction. Valid until the
    // next batch.
    [[nodiscard]] const Ledger& ledger() const;
    [[nodiscard]] std::vector<LinkView> links() const;

private:
    struct Parts;
    explicit Engine(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace fieldpost::engine
