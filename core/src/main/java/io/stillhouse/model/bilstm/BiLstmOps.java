package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import io.stillhouse.model.encoder.TrainingOps;
import io.stillhouse.spec.Precision;

/** A BiLSTM's training pass forward and backward, as TorchScript; both directions at once. */
final class BiLstmOps {
  // `places`: of tokens (ids), of the backward direction, order, lasts, previous, as PackedTexts
  // has them. `weights`: of each direction those of the input and of the state, then their biases.
  // `saved`: inputs of both directions, gates after their activations, cells before and after tanh,
  // states. `grads`: of the table, then of the weights.
  private static final String OPS =
      """
        def linear(self: __torch__.Ops, inputND: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
          return LINEAR
        def product(self: __torch__.Ops, inputND: Tensor, weight: Tensor) -> Tensor:
          return PRODUCT
        def add_outer(self: __torch__.Ops, sum: Tensor, gradND: Tensor, inputNE: Tensor) -> Tensor:
          return OUTER
        def forward(self: __torch__.Ops, places: List[Tensor], sizes: List[int], table: Tensor, weights: List[Tensor]) -> List[Tensor]:
          inputND = torch.index_select(table, 0, places[0])
          backwardND = torch.index_select(inputND, 0, places[1])
          forwardGates = (self).linear(inputND, weights[0], torch.add(weights[2], weights[3]), )
          backwardGates = (self).linear(backwardND, weights[4], torch.add(weights[6], weights[7]), )
          gates2NG = torch.stack([forwardGates, backwardGates])
          count = torch.size(gates2NG, 1)
          hidden = torch.size(weights[1], 1)
          recurrent = torch.stack([torch.t(weights[1]), torch.t(weights[5])])
          cells = torch.new_empty(gates2NG, [2, count, hidden])
          squashed = torch.new_empty(gates2NG, [2, count, hidden])
          states = torch.new_empty(gates2NG, [2, count, hidden])
          at = 0
          before = 0
          for step in range(torch.len(sizes)):
            rows = sizes[step]
            gates = torch.narrow(gates2NG, 1, at, rows)
            if torch.gt(step, 0):
              _0 = torch.baddbmm_(gates, torch.narrow(states, 1, before, rows), recurrent)
            else:
              pass
            into = torch.sigmoid_(torch.narrow(gates, 2, 0, hidden))
            forget = torch.sigmoid_(torch.narrow(gates, 2, hidden, hidden))
            fresh = torch.tanh_(torch.narrow(gates, 2, torch.mul(2, hidden), hidden))
            out = torch.sigmoid_(torch.narrow(gates, 2, torch.mul(3, hidden), hidden))
            cell = torch.mul(into, fresh)
            if torch.gt(step, 0):
              _1 = torch.addcmul_(cell, forget, torch.narrow(cells, 1, before, rows))
            else:
              pass
            _2 = torch.copy_(torch.narrow(cells, 1, at, rows), cell)
            _3 = torch.tanh_(cell)
            _4 = torch.copy_(torch.narrow(squashed, 1, at, rows), cell)
            _5 = torch.copy_(torch.narrow(states, 1, at, rows), torch.mul_(cell, out))
            before = at
            at = torch.add(at, rows)
          last2SH = torch.index_select(states, 1, places[3])
          lastSE = torch.reshape(torch.transpose(last2SH, 0, 1), [-1, torch.mul(2, hidden)])
          return [lastSE, inputND, backwardND, gates2NG, cells, squashed, states]
        def direction_backward(self: __torch__.Ops, gradsNG: Tensor, inputND: Tensor, statesNH: Tensor, previous: Tensor, weight: Tensor, weightGrad: Tensor, stateGrad: Tensor, biasGrad: Tensor, otherBiasGrad: Tensor) -> Tensor:
          first = torch.sub(torch.size(gradsNG, 0), torch.size(previous, 0))
          later = torch.narrow(gradsNG, 0, first, torch.size(previous, 0))
          _0 = (self).add_outer(weightGrad, gradsNG, inputND, )
          _1 = torch.addmm_(stateGrad, torch.t(later), torch.index_select(statesNH, 0, previous))
          sums = torch.sum(gradsNG, [0])
          _2 = torch.add_(biasGrad, sums)
          _3 = torch.add_(otherBiasGrad, sums)
          return (self).product(gradsNG, torch.t(weight), )
        def backward(self: __torch__.Ops, gradSE: Tensor, places: List[Tensor], sizes: List[int], saved: List[Tensor], weights: List[Tensor], grads: List[Tensor]) -> NoneType:
          hidden = torch.size(weights[1], 1)
          sorted = torch.view(torch.index_select(gradSE, 0, places[2]), [-1, 2, hidden])
          stateGrads = torch.clone(torch.transpose(sorted, 0, 1), memory_format=0)
          cellGrads = torch.zeros_like(stateGrads)
          gateGrads = torch.empty_like(saved[2])
          recurrent = torch.stack([weights[1], weights[5]])
          steps = torch.len(sizes)
          at = torch.size(gateGrads, 1)
          for i in range(steps):
            step = torch.sub(torch.sub(steps, i), 1)
            rows = sizes[step]
            at = torch.sub(at, rows)
            gates = torch.narrow(saved[2], 1, at, rows)
            into = torch.narrow(gates, 2, 0, hidden)
            forget = torch.narrow(gates, 2, hidden, hidden)
            fresh = torch.narrow(gates, 2, torch.mul(2, hidden), hidden)
            out = torch.narrow(gates, 2, torch.mul(3, hidden), hidden)
            squashed = torch.narrow(saved[4], 1, at, rows)
            stateGrad = torch.narrow(stateGrads, 1, 0, rows)
            carried = torch.narrow(cellGrads, 1, 0, rows)
            cellGrad = torch.add(torch.tanh_backward(torch.mul(stateGrad, out), squashed), carried)
            own = torch.narrow(gateGrads, 1, at, rows)
            _0 = torch.copy_(torch.narrow(own, 2, 0, hidden), torch.sigmoid_backward(torch.mul(cellGrad, fresh), into))
            _1 = torch.copy_(torch.narrow(own, 2, torch.mul(2, hidden), hidden), torch.tanh_backward(torch.mul(cellGrad, into), fresh))
            _2 = torch.copy_(torch.narrow(own, 2, torch.mul(3, hidden), hidden), torch.sigmoid_backward(torch.mul(stateGrad, squashed), out))
            ofForget = torch.narrow(own, 2, hidden, hidden)
            if torch.gt(step, 0):
              before = torch.narrow(saved[3], 1, torch.sub(at, sizes[torch.sub(step, 1)]), rows)
              _3 = torch.copy_(ofForget, torch.sigmoid_backward(torch.mul(cellGrad, before), forget))
              _4 = torch.copy_(carried, torch.mul_(cellGrad, forget))
              _5 = torch.copy_(stateGrad, torch.bmm(own, recurrent))
            else:
              _6 = torch.zero_(ofForget)
          forwardND = (self).direction_backward(torch.select(gateGrads, 0, 0), saved[0], torch.select(saved[5], 0, 0), places[4], weights[0], grads[1], grads[2], grads[3], grads[4], )
          backwardND = (self).direction_backward(torch.select(gateGrads, 0, 1), saved[1], torch.select(saved[5], 0, 1), places[4], weights[4], grads[5], grads[6], grads[7], grads[8], )
          _7 = torch.index_add_(grads[0], 0, places[0], forwardND)
          _8 = torch.index_add_(grads[0], 0, torch.index_select(places[0], 0, places[1]), backwardND)
          return None
      """
          .indent(0);

  private BiLstmOps() {}

  static PtSymbolBlock compile(NDManager manager, Precision precision) {
    return TrainingOps.compile(manager, precision, OPS);
  }
}
