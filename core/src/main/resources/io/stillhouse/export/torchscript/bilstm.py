# A BiLSTM over word pieces, for one text per row or for two.
#
# Names of tensors end in their shape: B rows, S texts, L padded length, D width of a word vector, E both directions'
# hidden units, C logits.


class Lstm(Module):
    __parameters__ = [
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
        "weight_ih_l0_reverse",
        "weight_hh_l0_reverse",
        "bias_ih_l0_reverse",
        "bias_hh_l0_reverse",
    ]
    training: bool
    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor
    weight_ih_l0_reverse: Tensor
    weight_hh_l0_reverse: Tensor
    bias_ih_l0_reverse: Tensor
    bias_hh_l0_reverse: Tensor

    # Returns the last states of both directions, (S, E).
    def forward(self, wordsSLD: Tensor, lengthsS: Tensor) -> Tensor:
        # A packed sequence has the longest text first, and lengths in the memory of the host.
        sortedS, orderS = torch.sort(lengthsS, 0, True)
        packedND, sizes = torch._pack_padded_sequence(wordsSLD.index_select(0, orderS), sortedS.cpu(), True)
        zeros2SH = wordsSLD.new_zeros([2, lengthsS.size(0), self.weight_hh_l0.size(1)])
        weights = [
            self.weight_ih_l0,
            self.weight_hh_l0,
            self.bias_ih_l0,
            self.bias_hh_l0,
            self.weight_ih_l0_reverse,
            self.weight_hh_l0_reverse,
            self.bias_ih_l0_reverse,
            self.bias_hh_l0_reverse,
        ]
        outputsNE, states2SH, cells2SH = torch.lstm(
            packedND, sizes, [zeros2SH, zeros2SH], weights, True, 1, 0.0, False, True
        )
        return states2SH.transpose(0, 1).flatten(1).index_select(0, torch.argsort(orderS))


# Moves the tokens that have a one in the mask to the front of their row.
def aligned(idsSL: Tensor, maskSL: Tensor) -> Tensor:
    firstS1 = maskSL.cumsum(1).eq(0).sum([1], True)
    positionsL = torch.arange(idsSL.size(1), dtype=4, layout=0, device=idsSL.device, pin_memory=False)  # int64, strided
    placesSL = (firstS1 + positionsL).clamp(max=idsSL.size(1) - 1)
    return idsSL.gather(1, placesSL)


class SingleText(Module):
    training: bool
    embeddings: __torch__.modules.Embedding
    lstm: __torch__.Lstm
    dense: __torch__.modules.Linear
    classifier: __torch__.modules.Linear

    # Returns the logits, (B, C). Segment ids are not read.
    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor]=None, token_type_ids: Optional[Tensor]=None
    ) -> Tensor:
        if attention_mask is None:
            maskBL = torch.ones_like(input_ids)
        else:
            maskBL = attention_mask
        words = self.embeddings.forward(__torch__.aligned(input_ids, maskBL))
        states = self.lstm.forward(words, maskBL.sum([1]))
        return self.classifier.forward(torch.relu(self.dense.forward(states)))


class TextPair(Module):
    training: bool
    embeddings: __torch__.modules.Embedding
    lstm: __torch__.Lstm
    dense: __torch__.modules.Linear
    classifier: __torch__.modules.Linear

    # Returns the logits, (B, C). The first text has the tokens of segment 0.
    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        first = token_type_ids.eq(0).to(attention_mask.dtype)
        maskSL = torch.cat([attention_mask * first, attention_mask * (1 - first)])
        idsSL = torch.cat([input_ids, input_ids])
        words = self.embeddings.forward(__torch__.aligned(idsSL, maskSL))
        states = self.lstm.forward(words, maskSL.sum([1]))
        a, b = states.chunk(2)
        features = torch.cat([a, b, a * b, torch.abs(a - b)], 1)
        return self.classifier.forward(torch.relu(self.dense.forward(features)))
