# The forward pass of a bidirectional LSTM and its backward pass, both directions at once.
#
# Names of tensors end in their shape: N tokens in reading order, S texts, D width of a word vector, H units of one
# direction, G = 4H gates, E = 2H, 2 the directions. Gates are in the order of nn.LSTM: input, forget, cell, output.
# Gradients of weights are added in place. `products` is the file for the device and the precision, from
# io/stillhouse/torch.


# The places of the texts' tokens, see PackedTexts.java.
class Places(NamedTuple):
    ids: Tensor
    backward: Tensor
    order: Tensor
    lasts: Tensor
    previous: Tensor
    sizes: List[int]


# Weights of one direction, or their gradients.
class Direction(NamedTuple):
    input: Tensor
    state: Tensor
    inputBias: Tensor
    stateBias: Tensor


# Weights, or their gradients.
class Lstm(NamedTuple):
    table: Tensor
    forward: __torch__.Direction
    backward: __torch__.Direction


class Saved(NamedTuple):
    places: __torch__.Places
    forwardND: Tensor  # word vectors in reading order
    backwardND: Tensor  # the same words, read backward
    gates2NG: Tensor  # after their activations
    cells2NH: Tensor
    squashed2NH: Tensor  # tanh of the cells
    states2NH: Tensor


class Ops(Module):
    training: bool

    def places(self, tensors: List[Tensor], sizes: List[int]) -> __torch__.Places:
        ids, backward, order, lasts, previous = tensors
        return __torch__.Places(ids, backward, order, lasts, previous, sizes)

    # The lists contain the weights for the input and for the state, then their biases.
    def lstm(self, table: Tensor, forward: List[Tensor], backward: List[Tensor]) -> __torch__.Lstm:
        return __torch__.Lstm(table, self.direction(forward), self.direction(backward))

    def direction(self, tensors: List[Tensor]) -> __torch__.Direction:
        input, state, inputBias, stateBias = tensors
        return __torch__.Direction(input, state, inputBias, stateBias)

    # Returns the part of the gates that depends on the input, (N, G).
    def gates(self, inputND: Tensor, weights: __torch__.Direction) -> Tensor:
        return __torch__.products.linear(inputND, weights.input, weights.inputBias + weights.stateBias)

    # Returns the last states of both directions for each text, (S, E), and what the backward pass needs.
    def forward(self, places: __torch__.Places, weights: __torch__.Lstm) -> Tuple[Tensor, __torch__.Saved]:
        forwardND = weights.table.index_select(0, places.ids)
        backwardND = forwardND.index_select(0, places.backward)
        gates2NG = torch.stack([self.gates(forwardND, weights.forward), self.gates(backwardND, weights.backward)])
        count = gates2NG.size(1)
        hidden = weights.forward.state.size(1)
        recurrent2HG = torch.stack([weights.forward.state.t(), weights.backward.state.t()])
        cells2NH = gates2NG.new_empty([2, count, hidden])
        squashed2NH = gates2NG.new_empty([2, count, hidden])
        states2NH = gates2NG.new_empty([2, count, hidden])
        at = 0
        before = 0
        for step in range(len(places.sizes)):
            rows = places.sizes[step]
            gates = gates2NG.narrow(1, at, rows)
            if step > 0:
                gates.baddbmm_(states2NH.narrow(1, before, rows), recurrent2HG)
            into = gates.narrow(2, 0, hidden).sigmoid_()
            forget = gates.narrow(2, hidden, hidden).sigmoid_()
            fresh = gates.narrow(2, 2 * hidden, hidden).tanh_()
            out = gates.narrow(2, 3 * hidden, hidden).sigmoid_()
            cell = into * fresh
            if step > 0:
                cell.addcmul_(forget, cells2NH.narrow(1, before, rows))
            cells2NH.narrow(1, at, rows).copy_(cell)
            cell.tanh_()
            squashed2NH.narrow(1, at, rows).copy_(cell)
            states2NH.narrow(1, at, rows).copy_(cell.mul_(out))
            before = at
            at = at + rows
        last2SH = states2NH.index_select(1, places.lasts)
        lastSE = last2SH.transpose(0, 1).reshape([-1, 2 * hidden])
        return lastSE, __torch__.Saved(places, forwardND, backwardND, gates2NG, cells2NH, squashed2NH, states2NH)

    def backward(
        self,
        gradSE: Tensor,
        saved: __torch__.Saved,
        weights: __torch__.Lstm,
        grads: __torch__.Lstm,
    ) -> None:
        places = saved.places
        sizes = places.sizes
        hidden = weights.forward.state.size(1)
        sorted = gradSE.index_select(0, places.order).view([-1, 2, hidden])
        stateGrads = sorted.transpose(0, 1).clone(memory_format=0)  # contiguous
        cellGrads = torch.zeros_like(stateGrads)
        gateGrads = torch.empty_like(saved.gates2NG)
        recurrent = torch.stack([weights.forward.state, weights.backward.state])
        steps = len(sizes)
        at = gateGrads.size(1)
        for i in range(steps):
            step = steps - i - 1
            rows = sizes[step]
            at = at - rows
            gates = saved.gates2NG.narrow(1, at, rows)
            into = gates.narrow(2, 0, hidden)
            forget = gates.narrow(2, hidden, hidden)
            fresh = gates.narrow(2, 2 * hidden, hidden)
            out = gates.narrow(2, 3 * hidden, hidden)
            squashed = saved.squashed2NH.narrow(1, at, rows)
            stateGrad = stateGrads.narrow(1, 0, rows)
            carried = cellGrads.narrow(1, 0, rows)
            cellGrad = torch.tanh_backward(stateGrad * out, squashed) + carried
            own = gateGrads.narrow(1, at, rows)
            own.narrow(2, 0, hidden).copy_(torch.sigmoid_backward(cellGrad * fresh, into))
            own.narrow(2, 2 * hidden, hidden).copy_(torch.tanh_backward(cellGrad * into, fresh))
            own.narrow(2, 3 * hidden, hidden).copy_(torch.sigmoid_backward(stateGrad * squashed, out))
            forgetGrad = own.narrow(2, hidden, hidden)
            if step > 0:
                before = saved.cells2NH.narrow(1, at - sizes[step - 1], rows)
                forgetGrad.copy_(torch.sigmoid_backward(cellGrad * before, forget))
                carried.copy_(cellGrad.mul_(forget))
                stateGrad.copy_(torch.bmm(own, recurrent))
            else:
                forgetGrad.zero_()
        forwardND = self.direction_backward(
            gateGrads.select(0, 0),
            saved.forwardND,
            saved.states2NH.select(0, 0),
            places.previous,
            weights.forward,
            grads.forward,
        )
        backwardND = self.direction_backward(
            gateGrads.select(0, 1),
            saved.backwardND,
            saved.states2NH.select(0, 1),
            places.previous,
            weights.backward,
            grads.backward,
        )
        grads.table.index_add_(0, places.ids, forwardND)
        grads.table.index_add_(0, places.ids.index_select(0, places.backward), backwardND)

    # Returns the gradient of the word vectors that a direction read.
    def direction_backward(
        self,
        gateGradsNG: Tensor,
        inputND: Tensor,
        statesNH: Tensor,
        previous: Tensor,
        weights: __torch__.Direction,
        grads: __torch__.Direction,
    ) -> Tensor:
        first = gateGradsNG.size(0) - previous.size(0)
        later = gateGradsNG.narrow(0, first, previous.size(0))
        __torch__.products.add_outer(grads.input, gateGradsNG, inputND)
        grads.state.addmm_(later.t(), statesNH.index_select(0, previous))
        sums = gateGradsNG.sum([0])
        grads.inputBias.add_(sums)
        grads.stateBias.add_(sums)
        return __torch__.products.product(gateGradsNG, weights.input.t())
