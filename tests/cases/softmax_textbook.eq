# The same from probabilities: log of softmax, one-hot labels
data x[b,i], y[b,k]
parameter W[i,k], β[k]
s[b,k] = sum[i](x[b,i]*W[i,k]) + β[k]
p[b,k] = exp(s[b,k])/sum[k'](exp(s[b,k']))
C = -sum[b,k](y[b,k]*log(p[b,k]))/size(b)
