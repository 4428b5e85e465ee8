# Connectionist temporal classification (Graves et al. 2006, equations 6-8) in logarithms; class 0 is the blank.
# -1e30 stands for log 0.
axis s = 2*size(n) + 1
data x[b,t,i]
integer label[b,n]
parameter W[i,k], β[k]
z[b,t,k] = sum[i](x[b,t,i]*W[i,k]) + β[k]
y[b,t,k] = z[b,t,k] - logsumexp[k'](z[b,t,k'])
# blank, first label, blank, second label, …, blank
l[b,s] = where([s%2 = 1], label[b,s//2], 0)
skip[b,s] = [s >= 2]*[s%2 = 1]*[l[b,s] != l[b,s-2]]
from0[b,t,s] = α[b,t-1,s]
from1[b,t,s] = where([s >= 1], α[b,t-1,s-1], -1e30)
from2[b,t,s] = where([skip[b,s] = 1], α[b,t-1,s-2], -1e30)
before[b,t,s] = logaddexp(logaddexp(from0[b,t,s], from1[b,t,s]), from2[b,t,s])
α[b,t,s] = y[b,t,l[b,s]] + where([t = 0], where([s <= 1], 0, -1e30), before[b,t,s])
last[b] = logaddexp(α[b,size(t)-1,size(s)-1], α[b,size(t)-1,size(s)-2])
C = -sum[b](last[b])/size(b)
