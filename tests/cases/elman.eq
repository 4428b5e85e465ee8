# A recurrent network (Elman 1990): the hidden state before the first step is 0
data x[b,t,i], y[b,t,o]
parameter W[i,k], U[l,k], β[k], V[k,o]
h[b,t,k] = tanh(sum[i](x[b,t,i]*W[i,k]) + sum[l](h[b,t-1,l]*U[l,k]) + β[k])
C = sum[b,t,o]((sum[k](h[b,t,k]*V[k,o]) - y[b,t,o])^2)/size(b)
